"""How experiments overlap, in simulated time: no test here waits for a clock."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from asi_arch.config import Config
from asi_arch.interfaces import Team
from asi_arch.records import (
    Analysis,
    Component,
    Context,
    Experiment,
    Finding,
    Job,
    Judgement,
    Lesson,
    Origin,
    Program,
    Proposal,
    Trace,
)
from tests.campaigns import tiny_config
from tests.simulation import SimulatedRunner, simulate


class SlowTeam:
    """Three roles that think for `seconds` and say something new each time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.histories: dict[int, list[int]] = {}

    async def propose(self, context: Context) -> Proposal:
        self.histories[context.number] = [
            o.number for o in context.history if o.kind == "candidate"
        ]
        await asyncio.sleep(self.seconds)
        part = Component(name="gate", category="gating", origin=Origin.ORIGINALITY)
        return Proposal(name=f"Idea{context.number}", motivation="why not", components=(part,))

    async def implement(
        self, experiment: Experiment, proposal: Proposal, parent: Experiment
    ) -> Program:
        await asyncio.sleep(self.seconds)
        return Program(source=f"value = {experiment.number}")

    async def repair(
        self, experiment: Experiment, program: Program, findings: Sequence[Finding]
    ) -> Program:
        raise AssertionError("nothing fails here")

    async def diversify(self, context: Context) -> Proposal:
        raise AssertionError("no idea comes twice")

    async def analyse(self, experiment: Experiment, relatives: Sequence[Experiment]) -> Analysis:
        await asyncio.sleep(self.seconds)
        return Analysis(summary="done")

    async def distill(
        self, experiments: Sequence[Experiment], lessons: Sequence[Lesson]
    ) -> tuple[Lesson, ...]:
        return (Lesson(text="nothing", evidence=(experiments[-1].id,)),)

    async def judge(self, experiment: Experiment) -> Judgement | None:
        return None

    async def trace(self, experiment: Experiment, context: Context) -> tuple[Trace, ...]:
        return ()

    async def compare(
        self, experiment: Experiment, proposal: Proposal, others: Sequence[Experiment]
    ) -> int | None:
        return None


def simulate_slowly(
    config: Config, folder: Path, thinking: float, durations: Callable[[Job], float]
) -> tuple[SimulatedRunner, SlowTeam]:
    team = SlowTeam(thinking)
    return simulate(config, folder, Team(team, team, team), durations), team


def training_takes_ten(job: Job) -> float:
    return {"verify": 1.0, "probe": 1.0, "train": 10.0}.get(job.kind, 0.0)


def most_at_once(spans: list[tuple[str, float, float]], kinds: set[str]) -> int:
    chosen = [(start, end) for kind, start, end in spans if kind in kinds]
    return max(sum(s <= start < e for s, e in chosen) for start, _ in chosen)


def test_training_slots_never_wait_for_the_language_model(tmp_path: Path) -> None:
    config = tiny_config(
        tmp_path, "budget.experiments=20", "jobs.train=2", "jobs.llm=4", "search.in_flight=8"
    )
    runner, _ = simulate_slowly(config, tmp_path, thinking=4.0, durations=training_takes_ten)
    training = [(start, end) for kind, start, end in runner.spans if kind in ("probe", "train")]
    busy = sum(end - start for start, end in training)
    length = max(end for _, end in training) - min(start for start, _ in training)
    assert busy / (2 * length) > 0.9


@pytest.mark.parametrize(("verify", "train"), [(1, 1), (2, 3)])
def test_the_limits_hold(tmp_path: Path, verify: int, train: int) -> None:
    config = tiny_config(
        tmp_path, "budget.experiments=12", f"jobs.verify={verify}", f"jobs.train={train}"
    )
    runner, _ = simulate_slowly(config, tmp_path, thinking=0.5, durations=training_takes_ten)
    assert most_at_once(runner.spans, {"verify"}) <= verify
    assert most_at_once(runner.spans, {"probe", "train"}) == train


def test_an_experiment_sees_what_ended_before_its_place_was_free(tmp_path: Path) -> None:
    """Whatever ends early or late, number n sees the results of 1 to n - in_flight."""
    config = tiny_config(tmp_path, "budget.experiments=12", "jobs.train=4", "search.in_flight=4")
    _, team = simulate_slowly(
        config, tmp_path, 0.1, durations=lambda job: 1.0 + len(job.name) + len(job.program) % 7
    )
    assert team.histories == {n: list(range(1, n - 3)) for n in range(1, 13)}
