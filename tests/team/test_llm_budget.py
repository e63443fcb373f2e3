import pytest

from asi_arch.records import Context, Entry, Experiment, Lesson, Program, Status
from asi_arch.team.llm.budget import CHARACTERS, fit
from asi_arch.team.llm.show import describe, source


def experiment(id: int, words: int = 40) -> Experiment:
    return Experiment(
        id=id,
        campaign_id=1,
        number=id,
        kind="candidate",
        status=Status.REJECTED,
        name=f"Layer{id}",
        reason="word " * words,
        program=Program(source="x = 1\n" * 100),
    )


def entry(id: str) -> Entry:
    return Entry(id=id, title="t", authors="a", year=2024, tags=("x",), text="word " * 100)


CONTEXT = Context(
    experiment_id=9,
    number=9,
    seed=0,
    parent=experiment(1),
    references=(experiment(2), experiment(3)),
    siblings=(experiment(4), experiment(5)),
    twins=(experiment(6),),
    lessons=(Lesson(text="word " * 20, evidence=(2, 3)), Lesson(text="word " * 20)),
    knowledge=(entry("2401.00001"), entry("2401.00002"), entry("2401.00003")),
)
KINDS = ("twins", "lessons", "knowledge", "siblings", "references")


def shown(context: Context) -> dict[str, int]:
    return {kind: len(getattr(context, kind)) for kind in KINDS}


def test_everything_stays_where_there_is_room() -> None:
    assert fit(CONTEXT, 100_000) == CONTEXT


def test_the_parent_and_its_program_always_stay() -> None:
    small = fit(CONTEXT, 500)
    assert small.parent == CONTEXT.parent
    assert fit(CONTEXT, 1).parent.program == CONTEXT.parent.program
    assert shown(fit(CONTEXT, 1)) == dict.fromkeys(KINDS, 0)


def test_the_least_valuable_goes_first() -> None:
    parent = len(describe(CONTEXT.parent) + source(CONTEXT.parent)) // CHARACTERS
    sizes = [shown(fit(CONTEXT, parent + extra)) for extra in range(0, 1500, 10)]
    first_with = {kind: next(i for i, s in enumerate(sizes) if s[kind]) for kind in KINDS}
    order = sorted(KINDS, key=lambda kind: first_with[kind])
    assert order[0] in ("twins", "lessons")
    assert sizes[-1] == shown(CONTEXT)
    middle = fit(CONTEXT, parent + 650)
    assert shown(middle)["twins"] == 1 and shown(middle)["references"] < 2
    assert [e.id for e in middle.knowledge] == [e.id for e in CONTEXT.knowledge][
        : len(middle.knowledge)
    ]


@pytest.mark.parametrize("tokens", [600, 900, 1300, 2000])
def test_the_budget_holds(tokens: int) -> None:
    kept = fit(CONTEXT, tokens)
    parts = [describe(e) for e in (*kept.references, *kept.siblings, *kept.twins)]
    parts += [e.text for e in kept.knowledge] + [lesson.text for lesson in kept.lessons]
    text = describe(kept.parent) + source(kept.parent) + "".join(parts)
    assert len(text) / CHARACTERS <= tokens
