"""Campaigns in simulated time whose jobs answer without running anything."""

import asyncio
import contextlib
import selectors
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asi_arch.campaign import Campaign
from asi_arch.config import Config
from asi_arch.configure import stored_config
from asi_arch.interfaces import Team
from asi_arch.lab import Lab, Slots
from asi_arch.launch import new_campaign
from asi_arch.memory import Memory
from asi_arch.records import Campaign as CampaignRecord
from asi_arch.records import (
    Dataset,
    Finding,
    Job,
    JobResult,
    MetricPoint,
    Protections,
    Score,
    Scored,
    Training,
)
from asi_arch.search.samplers import make_sampler
from asi_arch.store import Store
from tests.campaigns import Silence


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


class SimulatedRunner:
    """Answers every job after its simulated duration, and keeps who ran when."""

    def __init__(
        self, durations: Callable[[Job], float], files: Path, answer: Callable[[Job], JobResult]
    ) -> None:
        self.durations = durations
        self.files = files
        self.answer = answer
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
        return self.answer(job)

    def folder(self, name: str) -> Path:
        return self.files / name

    async def close(self) -> None:
        """Nothing to end."""


def success(job: Job) -> JobResult:
    """Every job gives what it should."""
    return JobResult(value=_value(job))


def _value(job: Job) -> dict[str, Any]:
    if job.kind == "prepare":
        dataset = Dataset(name="none", sha256="0", train_tokens=1, heldout_tokens=1, references={})
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


def at_once(job: Job) -> float:
    """No job takes any time."""
    return 0.0


def simulate(
    config: Config,
    folder: Path,
    team: Team,
    durations: Callable[[Job], float] = at_once,
    answer: Callable[[Job], JobResult] = success,
) -> SimulatedRunner:
    """Run a new campaign in the database a.db of the folder to its end."""
    with Store.open(str(folder / "a.db")) as store:
        record = new_campaign(store, config, folder)
        return go_on(store, record, folder, team, durations, answer)


def go_on(
    store: Store,
    record: CampaignRecord,
    folder: Path,
    team: Team,
    durations: Callable[[Job], float] = at_once,
    answer: Callable[[Job], JobResult] = success,
    kill_after: float | None = None,
) -> SimulatedRunner:
    """Run a campaign from wherever it stands to its end, or for so many simulated seconds."""
    runner = SimulatedRunner(durations, folder, answer)
    config = stored_config(record)
    sampler, slots = make_sampler(config.search), Slots(config.jobs)
    memory = Memory(store, record, config)
    lab = Lab(memory, team, sampler, runner, Silence(), slots)
    with asyncio.Runner(loop_factory=SimulatedLoop) as loop:
        done = asyncio.wait_for(Campaign(lab).run(), kill_after)
        if kill_after is None:
            assert loop.run(done) is not None
        else:
            with contextlib.suppress(TimeoutError):
                loop.run(done)
    return runner
