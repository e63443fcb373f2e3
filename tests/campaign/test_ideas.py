"""What becomes of ideas that are known: other ideas, then another parent, then the end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asi_arch.interfaces import Team
from asi_arch.records import Experiment, JobError, JobResult, RoleSettings, Status
from asi_arch.search.samplers import make_sampler
from asi_arch.store import Store
from asi_arch.team.llm import TASKS, llm_team
from asi_arch.team.rules import rule_team
from asi_arch.testing import MemoryLedger
from asi_arch.testing.scripted_answers import answer
from tests.campaigns import tiny_config
from tests.simulation import simulate, success

Messages = list[dict[str, str]]


def scripted(answers: Callable[[Messages], str] = answer) -> tuple[Team, Any]:
    """A team of one scripted model, and its backend."""
    roles = dict.fromkeys(TASKS, RoleSettings(backend="scripted"))
    team = llm_team(roles, MemoryLedger(), 12_000)
    researcher: Any = team.researcher
    backend = researcher.speaker.backend
    backend.__init__(RoleSettings(), answers)
    return team, backend


def candidates(folder: Path) -> list[Experiment]:
    with Store.open(str(folder / "a.db")) as store:
        return store.experiments(store.campaign().id, kind="candidate")


def events(folder: Path, kind: str) -> list[str]:
    with Store.open(str(folder / "a.db")) as store:
        return [e.message for e in store.events(store.campaign().id) if e.kind == kind]


def same_as_the_first(messages: Messages) -> str:
    """Every later idea repeats experiment 4, says the Analyst, once it is among those compared."""
    if "and you compare" not in messages[0]["content"]:
        return answer(messages)
    known = "experiment 4:" in messages[1]["content"]
    return json.dumps({"reason": "the same words", "same_as": "4" if known else ""})


def test_an_idea_that_is_known_in_words_is_never_written(tmp_path: Path) -> None:
    team, backend = scripted(same_as_the_first)
    config = tiny_config(
        tmp_path, "search.in_flight=1", "budget.experiments=2", "novelty.similarity=0.05"
    )
    simulate(config, tmp_path, team)
    first, second = candidates(tmp_path)
    assert first.id == 4 and first.status is Status.COMPLETE
    assert second.status is Status.REJECTED
    assert second.rejections == ("the same idea as experiment 4",) * 6
    assert second.twin_ids == (4,) * 6 and second.reason == "the same idea as experiment 4"
    tasks = [r.task for r in backend.requests if r.experiment_id == second.id]
    assert tasks.count("propose") == 1 and tasks.count("diversify") == 5
    assert "implement" not in tasks


def test_the_slot_goes_to_another_parent_when_ideas_run_out(tmp_path: Path) -> None:
    team, _ = scripted(same_as_the_first)
    settings = ["search.in_flight=1", "budget.experiments=2", "novelty.similarity=0.05"]
    config = tiny_config(tmp_path, *settings, "search.proposals=2")
    simulate(config, tmp_path, team)
    second = candidates(tmp_path)[1]
    assert len(second.rejections) == 4
    with Store.open(str(tmp_path / "a.db")) as store:
        known = store.outcomes(1, up_to=1)
    barred = {o.experiment_id for o in known if o.name == "transformer"}
    outcomes = [o for o in known if o.experiment_id not in barred]
    drawn = make_sampler(config.search).sample(outcomes, 2, 0, 1)
    assert (second.parent_id, second.reference_ids) == drawn
    assert events(tmp_path, "parent") == [f"starts anew from {second.parent_id}"]


def test_ideas_are_not_compared_when_nobody_wants_it(tmp_path: Path) -> None:
    team, backend = scripted(same_as_the_first)
    config = tiny_config(tmp_path, "search.in_flight=1", "novelty.compared=0")
    simulate(config, tmp_path, team)
    assert [c.status for c in candidates(tmp_path)] == [Status.COMPLETE] * 3
    assert "compare" not in {request.task for request in backend.requests}


def test_a_twin_that_failed_is_named_with_its_failure(tmp_path: Path) -> None:
    def fail_first(job: Any) -> JobResult:
        if job.name.startswith("00004-explore"):
            return JobResult(error=JobError(kind="exception", message="it blew up"))
        return success(job)

    team, _ = scripted(same_as_the_first)
    settings = ["search.in_flight=1", "search.repairs=0", "novelty.similarity=0.05"]
    config = tiny_config(tmp_path, *settings, "budget.experiments=2")
    simulate(config, tmp_path, team, answer=fail_first)
    first, second = candidates(tmp_path)
    assert first.status is Status.FAILED
    assert second.rejections[0] == (
        "the same idea as experiment 4, which was failed: explore: it blew up"
    )


def test_a_program_whose_training_breaks_off_is_repaired_from_its_trace(tmp_path: Path) -> None:
    def fail_once(job: Any) -> JobResult:
        broken = job.name == "00004-explore-0" and "Decay" not in job.program.split("class ")[-1]
        if broken and fail_once.__dict__.setdefault("failed", 0) < 1:
            fail_once.__dict__["failed"] += 1
            error = JobError(kind="exception", message="nan at step 7", trace="line 40, in forward")
            return JobResult(error=error)
        return success(job)

    team, backend = scripted()
    config = tiny_config(tmp_path, "budget.experiments=1")
    simulate(config, tmp_path, team, answer=fail_once)
    (candidate,) = candidates(tmp_path)
    assert candidate.status is Status.COMPLETE and candidate.round == 1
    (asked,) = [r for r in backend.requests if r.task == "repair"]
    prompt = asked.messages[1].content
    assert "> nan at step 7" in prompt and "> line 40, in forward" in prompt
    with Store.open(str(tmp_path / "a.db")) as store:
        failed = [f for r, f in store.findings(candidate.id) if r == 0 and not f.passed]
        runs = store.runs(1, experiment_id=candidate.id)
        assert len(store.program_rounds(candidate.id)) == 2
    assert [f.check for f in failed] == ["training run"]
    assert {run.status for run in runs} == {"complete"}


def test_repairs_of_trainings_end(tmp_path: Path) -> None:
    def fail_always(job: Any) -> JobResult:
        if job.name == "00004-explore-0":
            return JobResult(error=JobError(kind="exception", message="nan at step 7"))
        return success(job)

    config = tiny_config(tmp_path, "budget.experiments=1", "search.repairs=2")
    simulate(config, tmp_path, rule_team(), answer=fail_always)
    (candidate,) = candidates(tmp_path)
    assert candidate.status is Status.FAILED and candidate.round == 2
    assert candidate.reason == "explore: nan at step 7"


@pytest.mark.parametrize("weight", [0.0, 100.0])
def test_the_judge_weighs_nothing_unless_the_user_says_so(tmp_path: Path, weight: float) -> None:
    def judge_likes_the_worst(messages: Messages) -> str:
        if "and you judge" not in messages[0]["content"]:
            return answer(messages)
        judge_likes_the_worst.__dict__["count"] = 1 + judge_likes_the_worst.__dict__.get("count", 0)
        score = 10 if judge_likes_the_worst.__dict__["count"] == 3 else 0
        return json.dumps({"reason": "a feeling", "score": score})

    team, _ = scripted(judge_likes_the_worst)
    settings = ["search.in_flight=1", "budget.experiments=4", "search.parents=1"]
    config = tiny_config(tmp_path, *settings, f"analyst.judge_weight={weight}")
    simulate(config, tmp_path, team)
    found = candidates(tmp_path)
    assert [c.judgement.score if c.judgement else None for c in found] == [0.0, 0.0, 1.0, 0.0]
    with Store.open(str(tmp_path / "a.db")) as store:
        roots = {"deltanet", "gated_deltanet"}
        known = [o for o in store.outcomes(1, up_to=3) if o.kind == "candidate" or o.name in roots]
    best = max(known, key=lambda o: (o.fitness or 0.0) + weight * (o.judged or 0.0))
    assert found[3].parent_id == best.experiment_id
    assert (found[3].parent_id == found[2].id) == (weight > 0)
