import ast
import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from asi_arch.backends.scripted import ScriptedBackend
from asi_arch.errors import BackendError
from asi_arch.interfaces import Team
from asi_arch.knowledge import search
from asi_arch.records import (
    Analysis,
    Component,
    Context,
    Experiment,
    Finding,
    Message,
    Origin,
    Outcome,
    Program,
    Proposal,
    RoleSettings,
    Status,
)
from asi_arch.team.llm import TASKS, llm_team
from asi_arch.testing import MemoryLedger

SOURCE = "import torch\n\nclass DeltaNet(torch.nn.Module):\n    pass\n"
PROPOSAL = Proposal(
    name="NewMixer",
    motivation="the parent never forgets",
    components=(Component(name="decay", category="decay", origin=Origin.ORIGINALITY),),
)


def experiment(id: int, **values: Any) -> Experiment:
    given = {"name": f"Layer{id}", "status": Status.COMPLETE, "fitness": 0.01 * id} | values
    return Experiment(id=id, campaign_id=1, number=id, kind="candidate", **given)


PARENT = experiment(3, name="DeltaNet", program=Program(source=SOURCE))
CONTEXT = Context(
    experiment_id=9,
    number=9,
    seed=0,
    parent=PARENT,
    references=(experiment(5, analysis=Analysis(summary="gates helped", keep=("the gate",))),),
    history=(
        Outcome(
            experiment_id=7,
            number=7,
            kind="candidate",
            parent_id=3,
            status=Status.COMPLETE,
            fitness=0.2,
            choices={},
        ),
    ),
    knowledge=tuple(search("gated delta rule decay")),
    rejections=("OldMixer is the same program as experiment 4",),
)


def team(answers: Iterable[str] | Callable[[list[dict[str, str]]], str]) -> tuple[Team, Any]:
    """A team whose one backend gives these answers; returns the backend too."""
    built = llm_team(dict.fromkeys(TASKS, RoleSettings(backend="scripted")), MemoryLedger(), 12_000)
    researcher: Any = built.researcher
    backend = researcher.speaker.backend
    backend.__init__(RoleSettings(), answers)
    return built, backend


def proposal(*citations: str, origin: str = "cognition") -> str:
    part = {"name": "decay", "category": "decay", "description": "S_t = a_t S_{t-1} + k v^T"}
    return json.dumps(
        {
            "name": "NewMixer",
            "motivation": "m",
            "components": [{**part, "origin": origin, "citations": list(citations)}],
        }
    )


def code(text: str) -> str:
    return json.dumps({"code": text})


def text(messages: tuple[Message, ...]) -> str:
    return "\n".join(message.content for message in messages)


def propose(*answers: str) -> tuple[Proposal, Any]:
    built, backend = team(answers)
    return asyncio.run(built.researcher.propose(CONTEXT)), backend


def test_the_researcher_sees_what_it_needs() -> None:
    _, backend = propose(proposal(CONTEXT.knowledge[0].id))
    prompt = text(backend.requests[0].messages)
    assert SOURCE.strip() in prompt and "experiment 3: DeltaNet" in prompt
    assert "fitness +0.03" in prompt and "gates helped" in prompt and "keep: the gate" in prompt
    assert all(f"[{entry.id}] {entry.title}" in prompt for entry in CONTEXT.knowledge)
    assert "experiment 7 (candidate) +0.20" in prompt
    assert "candidate 9" in prompt, "equal prompts would give equal proposals"
    assert backend.requests[0].settings.temperature == 0.8


def test_what_was_refused_is_shown_with_the_fate_of_its_twin() -> None:
    failed = experiment(4, status=Status.REJECTED, fitness=None, reason="causality: it leaks")
    built, backend = team([proposal("4", origin="analysis")])
    context = CONTEXT.model_copy(update={"twins": (failed,)})
    made = asyncio.run(built.researcher.diversify(context))
    prompt = text(backend.requests[0].messages)
    assert "OldMixer is the same program as experiment 4" in prompt
    assert "experiment 4: Layer4 (candidate, rejected" in prompt and "it leaks" in prompt
    assert made.components[0].citations == ("4",)
    assert backend.requests[0].settings.temperature == 1.0


def test_the_system_text_is_the_same_for_every_experiment() -> None:
    _, backend = propose(proposal(CONTEXT.knowledge[0].id))
    other = CONTEXT.model_copy(update={"parent": experiment(4), "knowledge": ()})
    built, second = team([proposal(origin="originality")])
    asyncio.run(built.researcher.propose(other))
    assert backend.requests[0].messages[0] == second.requests[0].messages[0]


@pytest.mark.parametrize(
    ("origin", "cited", "kept"),
    [
        ("cognition", "arXiv:" + CONTEXT.knowledge[0].id, CONTEXT.knowledge[0].id),
        ("analysis", "3", "3"),
        ("analysis", "experiment 5", "5"),
        ("analysis", "7", "7"),
    ],
)
def test_true_citations_are_kept(origin: str, cited: str, kept: str) -> None:
    made, backend = propose(proposal(cited, origin=origin))
    assert made.components[0].origin == origin and made.components[0].citations == (kept,)
    assert len(backend.requests) == 1


@pytest.mark.parametrize(
    "bad",
    [
        proposal("1234.56789"),
        proposal(),
        proposal("99", origin="analysis"),
        proposal("3"),
        proposal(CONTEXT.knowledge[0].id, "1234.56789"),
    ],
)
def test_false_citations_are_refused_then_recorded_as_originality(bad: str) -> None:
    made, backend = propose(bad, bad, bad)
    assert made.components[0].origin is Origin.ORIGINALITY
    assert made.components[0].citations == ()
    assert "allowed are" in backend.requests[1].messages[-1].content
    made, _ = propose(bad, proposal(CONTEXT.knowledge[0].id))
    assert made.components[0].origin is Origin.COGNITION


def test_no_valid_proposal_is_an_error() -> None:
    with pytest.raises(BackendError, match="researcher"):
        propose("no", "no", proposal().replace("NewMixer", "not a name"))


def test_originality_needs_no_citations() -> None:
    made, backend = propose(proposal("made up", origin="originality"))
    assert made.components[0].citations == () and len(backend.requests) == 1


def implement(*answers: str) -> tuple[Program, Any]:
    built, backend = team(answers)
    return asyncio.run(built.engineer.implement(experiment(9), PROPOSAL, PARENT)), backend


GOOD_CODE = "class NewMixer:\n    pass"


def test_the_engineer_writes_the_named_class() -> None:
    program, backend = implement(code(GOOD_CODE))
    assert program.source == GOOD_CODE + "\n"
    prompt = text(backend.requests[0].messages)
    assert "the parent never forgets" in prompt and "class `NewMixer`" in prompt
    assert SOURCE.strip() in prompt


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("class Other:\n    pass", "must define the class NewMixer"),
        ("", "must define the class NewMixer"),
        ("class NewMixer(:", "does not parse"),
        ("(" * 5000, "does not parse"),
    ],
)
def test_code_without_the_class_is_asked_again(bad: str, problem: str) -> None:
    program, backend = implement(code(bad), code(GOOD_CODE))
    assert "NewMixer" in program.source
    assert problem in backend.requests[1].messages[-1].content
    with pytest.raises(BackendError, match=problem):
        implement(*[code(bad)] * 3)


def test_repair_sees_failures_and_must_change_the_code() -> None:
    broken = Program(source=GOOD_CODE + "\n")
    findings = [
        Finding(check="contract", passed=True, evidence="fine so far"),
        Finding(
            check="causality",
            passed=False,
            measured={"difference": 0.5},
            evidence="output 3 changed with input 9",
            hint="look at the convolution",
        ),
    ]
    built, backend = team(
        [code("# a comment\n" + GOOD_CODE), code("class NewMixer:\n    fixed = True")]
    )
    tried = experiment(9, proposal=PROPOSAL)
    program = asyncio.run(built.engineer.repair(tried, broken, findings))
    assert "fixed" in program.source
    assert "did not change" in backend.requests[1].messages[-1].content
    prompt = text(backend.requests[0].messages)
    for part in ("output 3 changed", "difference = 0.5", "look at the convolution", GOOD_CODE):
        assert part in prompt
    assert "fine so far" not in prompt


def test_the_analyst_sees_result_and_relatives() -> None:
    built, backend = team(['{"summary": "noise", "keep": ["a"], "drop": []}'])
    tried = experiment(9, proposal=PROPOSAL, program=Program(source=GOOD_CODE))
    made = asyncio.run(built.analyst.analyse(tried, [PARENT]))
    assert made == Analysis(summary="noise", keep=("a",))
    prompt = text(backend.requests[0].messages)
    assert "experiment 3: DeltaNet" in prompt and "fitness +0.09" in prompt


def test_the_scripted_model_plays_all_roles() -> None:
    ledger = MemoryLedger()
    built = llm_team(dict.fromkeys(TASKS, RoleSettings(backend="scripted")), ledger, 12_000)

    async def play(number: int) -> tuple[Proposal, str]:
        context = CONTEXT.model_copy(update={"number": number})
        made = await built.researcher.propose(context)
        tried = experiment(number, name=made.name, proposal=made)
        program = await built.engineer.implement(tried, made, PARENT)
        tried = tried.model_copy(update={"program": program})
        bad = Finding(check="causality", passed=False, evidence="it leaks")
        repaired = await built.engineer.repair(tried, program, [bad])
        assert repaired.source != program.source and f"class {made.name}(" in repaired.source
        assert (await built.analyst.analyse(tried, [PARENT])).summary
        assert await built.analyst.judge(tried) is not None
        traces = await built.analyst.trace(tried, context)
        assert [trace.component for trace in traces] == [part.name for part in made.components]
        assert await built.analyst.compare(tried, made, [experiment(5, proposal=made)]) is None
        assert await built.analyst.distill([PARENT, tried], ())
        return made, program.source

    played = [asyncio.run(play(number)) for number in range(10, 30)]
    assert len(ledger.requests) == 160, "some answer was refused"
    assert {made.name[:5] for made, _ in played} == {"Decay", "Gated", "Delta"}
    assert len({made.name for made, _ in played}) == 20
    assert all(ast.parse(source) for _, source in played)
    origins = {part.origin for made, _ in played for part in made.components}
    assert origins == set(Origin)


def test_roles_with_equal_settings_share_a_backend() -> None:
    same = RoleSettings(backend="scripted", model="a")
    other = RoleSettings(backend="scripted", model="b")
    built: Any = llm_team(
        {"researcher": same, "engineer": same, "analyst": other}, MemoryLedger(), 9
    )
    assert built.researcher.speaker.backend is built.engineer.speaker.backend
    assert built.analyst.speaker.backend is not built.engineer.speaker.backend
    assert isinstance(built.analyst.speaker.backend, ScriptedBackend)
