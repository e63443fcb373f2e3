"""How experiments overlap, in simulated time: no test here waits for a clock."""

import asyncio
import selectors
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from asi_arch.campaign import Campaign
from asi_arch.config import Config
from asi_arch.interfaces import Team
from asi_arch.lab import Lab, Slots
from asi_arch.launch import new_campaign
from asi_arch.memory import Memory
from asi_arch.records import (
    Analysis,
    Component,
    Context,
    Dataset,
    Experiment,
    Finding,
    Job,
    JobResult,
    Judgement,
    Lesson,
    MetricPoint,
    Origin,
    Program,
    Proposal,
    Protections,
    Score,
    Scored,
    Trace,
    Training,
)
from asi_arch.search.samplers import make_sampler
from asi_arch.store import Store
from tests.campaigns import Silence, tiny_config


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        self.loop.now += timeout or 0
        return super().select(0)


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


class SimulatedRunner:
    """Answers every job after its simulated duration, and keeps who ran when."""

    def __init__(self, durations: Callable[[Job], float], files: Path) -> None:
        self.durations = durations
        self.files = files
        self.spans: list[tuple[str, float, float]] = []

    async def start(self) -> Protections:
        return Protections()

    async def run(
        self, job: Job, on_progress: Callable[[MetricPoint], None] = lambda point: None
    ) -> JobResult:
        clock = asyncio.get_running_loop().time
        start = clock()
        await asyncio.sleep(self.durations(job))
        self.spans.append((job.kind, start, clock()))
        return JobResult(value=_value(job))

    def folder(self, name: str) -> Path:
        return self.files / name

    async def close(self) -> None:
        """Nothing to end."""


def _value(job: Job) -> dict[str, Any]:
    if job.kind == "prepare":
        dataset = Dataset(
            name="none", sha256="0", train_tokens=1, heldout_tokens=1, documents=(), references={}
        )
        return dataset.model_dump(mode="json")
    if job.kind == "verify":
        return {"findings": [Finding(check="contract", passed=True).model_dump(mode="json")]}
    if job.kind in ("questions", "hidden"):
        return {"cut_seed": 0}
    if job.kind == "score":
        loss = float(job.spec["reported"] or 0)
        score = Score(benchmark="overwrite", metric="accuracy", value=0.5)
        return Scored(loss=loss, scores=(score,)).model_dump(mode="json")
    seed = job.spec["seed"]
    trained = Training(
        stage=job.spec["name"],
        seed=seed,
        parameters=1,
        non_embedding=1,
        mlp_width=1,
        tokens=1,
        reported=2 + (len(job.program) * 37 % 11 + seed * (len(job.program) % 3)) / 100,
    )
    return trained.model_dump(mode="json")


def simulate(
    config: Config, folder: Path, thinking: float, durations: Callable[[Job], float]
) -> tuple[SimulatedRunner, SlowTeam]:
    runner, team = SimulatedRunner(durations, folder), SlowTeam(thinking)
    with Store.open(str(folder / "a.db")) as store:
        record = new_campaign(store, config, folder)
        config = config.settled()
        lab = Lab(
            Memory(store, record, config),
            Team(team, team, team),
            make_sampler(config.search),
            runner,
            Silence(),
            Slots(config.jobs),
        )
        with asyncio.Runner(loop_factory=SimulatedLoop) as loop:
            assert loop.run(Campaign(lab).run()) is not None
    return runner, team


def training_takes_ten(job: Job) -> float:
    return {"verify": 1.0, "probe": 1.0, "train": 10.0}.get(job.kind, 0.0)


def most_at_once(spans: list[tuple[str, float, float]], kinds: set[str]) -> int:
    chosen = [(start, end) for kind, start, end in spans if kind in kinds]
    return max(sum(s <= start < e for s, e in chosen) for start, _ in chosen)


def test_training_slots_never_wait_for_the_language_model(tmp_path: Path) -> None:
    config = tiny_config(
        tmp_path, "budget.experiments=20", "jobs.train=2", "jobs.llm=4", "search.in_flight=8"
    )
    runner, _ = simulate(config, tmp_path, thinking=4.0, durations=training_takes_ten)
    training = [(start, end) for kind, start, end in runner.spans if kind in ("probe", "train")]
    busy = sum(end - start for start, end in training)
    length = max(end for _, end in training) - min(start for start, _ in training)
    assert busy / (2 * length) > 0.9


@pytest.mark.parametrize(("verify", "train"), [(1, 1), (2, 3)])
def test_the_limits_hold(tmp_path: Path, verify: int, train: int) -> None:
    config = tiny_config(
        tmp_path, "budget.experiments=12", f"jobs.verify={verify}", f"jobs.train={train}"
    )
    runner, _ = simulate(config, tmp_path, thinking=0.5, durations=training_takes_ten)
    assert most_at_once(runner.spans, {"verify"}) <= verify
    assert most_at_once(runner.spans, {"probe", "train"}) == train


def test_an_experiment_sees_what_ended_before_its_place_was_free(tmp_path: Path) -> None:
    """Whatever ends early or late, number n sees the results of 1 to n - in_flight."""
    config = tiny_config(tmp_path, "budget.experiments=12", "jobs.train=4", "search.in_flight=4")
    _, team = simulate(
        config, tmp_path, 0.1, durations=lambda job: 1.0 + len(job.name) + len(job.program) % 7
    )
    assert team.histories == {n: list(range(1, n - 3)) for n in range(1, 13)}
