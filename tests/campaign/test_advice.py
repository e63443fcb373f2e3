"""Lessons, opinions and origins: kept when there are any, done without when there are none."""

from pathlib import Path
from typing import Any

import pytest

from asi_arch.config import Config
from asi_arch.records import Status
from asi_arch.store import Store
from asi_arch.team.rules import rule_team
from asi_arch.testing.scripted_answers import answer
from tests.campaign.test_ideas import Messages, candidates, events, scripted
from tests.campaigns import tiny_config
from tests.simulation import simulate

QUIET = ("search.in_flight=2", "novelty.compared=0")


def play(config: Config, folder: Path, answers: Any = answer) -> Any:
    team, backend = scripted(answers)
    simulate(config, folder, team)
    return backend


def tasks(backend: Any) -> set[str]:
    return {f"{request.role}.{request.task}" for request in backend.requests}


def test_lessons_are_drawn_at_the_same_places_whatever_ends_first(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, *QUIET, "budget.experiments=9", "analyst.lessons_every=3")
    backend = play(config, tmp_path)
    drawn = [request for request in backend.requests if request.task == "distill"]
    with Store.open(str(tmp_path / "a.db")) as store:
        numbers = [store.experiment(request.experiment_id).number for request in drawn]
        assert numbers == [3, 6]
        (lesson,) = store.lessons(1, 6)
        assert [store.experiment(id).number for id in lesson.evidence] == [5, 6]
    shown = {
        request.experiment_id: "An output gate does no harm" in request.messages[1].content
        for request in backend.requests
        if request.task == "propose"
    }
    assert [known for _, known in sorted(shown.items())] == [False] * 4 + [True] * 5


def test_earlier_lessons_stay_when_no_new_ones_come(tmp_path: Path) -> None:
    def no_second_lesson(messages: Messages) -> str:
        distilling = "and you distil" in messages[0]["content"]
        again = "An output gate" in messages[1]["content"]
        return "no." if distilling and again else answer(messages)

    config = tiny_config(tmp_path, *QUIET, "budget.experiments=9", "analyst.lessons_every=3")
    play(config, tmp_path, no_second_lesson)
    with Store.open(str(tmp_path / "a.db")) as store:
        assert store.lessons(1, 6) == store.lessons(1, 3) != []
    (event,) = events(tmp_path, "distill")
    assert event.startswith("no lessons: analyst gave no usable answer to 'distill'")
    assert [c.status for c in candidates(tmp_path)] == [Status.COMPLETE] * 9


def test_opinions_and_origins_are_kept(tmp_path: Path) -> None:
    play(tiny_config(tmp_path, *QUIET), tmp_path)
    for candidate in candidates(tmp_path):
        assert candidate.judgement is not None and 0 <= candidate.judgement.score <= 1
        assert candidate.proposal is not None
        names = [part.name for part in candidate.proposal.components]
        assert [trace.component for trace in candidate.traces] == names


@pytest.mark.parametrize("task", ["judge", "trace"])
def test_an_experiment_goes_on_without_them(tmp_path: Path, task: str) -> None:
    def silent(messages: Messages) -> str:
        return (
            "I would rather not." if f"you {task}" in messages[0]["content"] else answer(messages)
        )

    play(tiny_config(tmp_path, *QUIET), tmp_path, silent)
    assert [c.status for c in candidates(tmp_path)] == [Status.COMPLETE] * 3
    assert len(events(tmp_path, task)) == 3


@pytest.mark.parametrize(
    ("setting", "gone"),
    [
        ("analyst.judge=false", {"analyst.judge"}),
        ("analyst.trace=false", {"analyst.trace"}),
        ("analyst.analyse=false", {"analyst.analyse", "analyst.distill"}),
        ("analyst.lessons_every=0", {"analyst.distill"}),
    ],
)
def test_what_is_switched_off_is_not_asked(tmp_path: Path, setting: str, gone: set[str]) -> None:
    settings = (*QUIET, "budget.experiments=5", "analyst.lessons_every=3")
    everything = {"researcher.propose", "engineer.implement", "analyst.analyse", "analyst.distill"}
    everything |= {"analyst.judge", "analyst.trace"}
    backend = play(tiny_config(tmp_path, *settings, setting), tmp_path)
    assert tasks(backend) - {"researcher.diversify"} == everything - gone


@pytest.mark.parametrize(
    ("setting", "absent"),
    [
        ("show.knowledge=0", "> **Mechanism.**"),
        ("analyst.analyse=false", "analysis: Measured"),
        ("search.references=0", "experiment 1: transformer"),
        ("show.siblings=0", None),
    ],
)
def test_ablations_leave_their_part_out_of_the_prompt(
    tmp_path: Path, setting: str, absent: str | None
) -> None:
    def prompts(folder: Path, *settings: str) -> list[str]:
        folder.mkdir()
        config = tiny_config(tmp_path, "search.in_flight=1", "novelty.compared=0", *settings)
        config = config.model_copy(
            update={"search": config.search.model_copy(update={"roots": config.baselines})}
        )
        backend = play(config, folder)
        asked = [r for r in backend.requests if r.task == "propose"]
        return [request.messages[1].content for request in asked]

    full, without = prompts(tmp_path / "full"), prompts(tmp_path / "without", setting)
    assert full != without or absent is None
    if absent:
        assert any(absent in prompt for prompt in full)
        assert not any(absent in prompt.partition("# Parent")[0] for prompt in without)


def test_the_rules_draw_lessons_too(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, *QUIET, "budget.experiments=16", "analyst.lessons_every=7")
    simulate(config, tmp_path, rule_team())
    with Store.open(str(tmp_path / "a.db")) as store:
        lessons = store.lessons(1, 14)
        fitness = {o.experiment_id: o.fitness for o in store.outcomes(1, up_to=14)}
    for lesson in lessons:
        assert " is better than " in lesson.text and set(lesson.evidence) <= set(fitness)
