"""What the steps of an experiment share: the database, the team, the runner and the slots."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from asi_arch.config import Config, Jobs, Stage
from asi_arch.interfaces import Runner, Sampler, Team, Watcher
from asi_arch.jobs.findings import findings_of
from asi_arch.jobs.spec import data_folder, training_name, verify_job
from asi_arch.measure import Examiner, JobFailed
from asi_arch.memory import Memory
from asi_arch.records import (
    Campaign,
    Experiment,
    Finding,
    MetricPoint,
    Pace,
    Run,
    Status,
)
from asi_arch.standings import pace, reference_curve
from asi_arch.store import Store
from asi_arch.together import together


class Slots:
    """How many calls and jobs of each kind may be under way."""

    def __init__(self, jobs: Jobs) -> None:
        self.llm = asyncio.Semaphore(jobs.llm)
        self.verify = asyncio.Semaphore(jobs.verify)
        self.train = asyncio.Semaphore(jobs.train)


@dataclass
class Lab:
    """The means of one campaign."""

    memory: Memory
    team: Team
    sampler: Sampler
    runner: Runner
    watcher: Watcher
    slots: Slots
    baselines_verified: asyncio.Event = field(default_factory=asyncio.Event)
    baselines_done: asyncio.Event = field(default_factory=asyncio.Event)
    distilling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _curves: dict[tuple[str, int], dict[int, float]] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The database."""
        return self.memory.store

    @property
    def campaign(self) -> Campaign:
        """The campaign as it was when this process took it up."""
        return self.memory.campaign

    @property
    def config(self) -> Config:
        """What the campaign does."""
        return self.memory.config

    @property
    def data_folder(self) -> Path:
        """Where the prepared text lies."""
        return data_folder(self.config, self.runner.folder("data"))

    @asynccontextmanager
    async def thinking(self, experiment: Experiment, phase: str) -> AsyncIterator[None]:
        """Hold a slot for a language model."""
        async with self.slots.llm:
            self.watcher.on_phase(experiment, phase)
            yield

    async def verify(self, experiment: Experiment) -> list[Finding]:
        """Return the findings about the experiment's program; a job that broke off is one too."""
        name = f"{experiment.id:05d}-verify-{experiment.round}"
        changes = _FOR_BASELINES if experiment.kind == "baseline" else {}
        job = verify_job(name, _source(experiment), self.config, changes)
        async with self.slots.verify:
            self.watcher.on_phase(experiment, "verify")
            result = await self.runner.run(job)
        return findings_of(result, job.limits)

    async def run_stage(self, experiment: Experiment, name: str, seeds: Sequence[int]) -> list[Run]:
        """Train the program at a stage with each seed; runs that are stored are not redone."""
        known = self.store.runs(self.campaign.id, stage=name, experiment_id=experiment.id)
        by_seed = {run.seed: run for run in known}
        missing = [seed for seed in seeds if seed not in by_seed]
        new = await together(self._train(experiment, name, seed) for seed in missing)
        by_seed.update({run.seed: run for run in new})
        return [by_seed[seed] for seed in seeds]

    def finish(
        self, experiment: Experiment, status: Status, reason: str = "", fitness: float | None = None
    ) -> Experiment:
        """End the experiment and tell the watcher."""
        ended = self.store.finish_experiment(experiment.id, status, fitness=fitness, reason=reason)
        self.store.log_event(self.campaign.id, experiment.id, status.value, reason)
        self.watcher.on_finished(ended)
        return ended

    async def _train(self, experiment: Experiment, name: str, seed: int) -> Run:
        job, source = training_name(experiment.id, name, seed), _source(experiment)
        examiner = Examiner(self.runner, self.config, self.data_folder)
        pace = await self._pace(experiment, name)
        async with self.slots.train:
            self.watcher.on_phase(experiment, f"{name} seed {seed}")
            self.store.log_event(self.campaign.id, experiment.id, "train", f"{name} seed {seed}")
            progress = partial(self._on_progress, experiment, name, seed)
            try:
                measured = await examiner.measure(job, source, name, seed, progress, pace)
            except JobFailed as failure:
                return self.store.save_failed_run(experiment.id, name, seed, failure.error)
        if measured.compiled.startswith("failed"):
            self.watcher.on_message(
                f"{experiment.name} is trained without torch.compile: {measured.compiled}"
            )
        return self.store.save_run(experiment.id, measured)

    async def _pace(self, experiment: Experiment, name: str) -> Pace | None:
        """Return the baseline's pace where a rule of the stage needs it, once it is known."""
        stage = getattr(self.config, name)
        if experiment.kind == "baseline" or not isinstance(stage, Stage) or not stage.stops:
            return None
        await self.baselines_done.wait()
        return pace(self.store, self.campaign.id, name)

    def _on_progress(
        self, experiment: Experiment, name: str, seed: int, point: MetricPoint
    ) -> None:
        self.watcher.on_progress(experiment, name, seed, point, self._reference(name, seed, point))

    def _reference(self, name: str, seed: int, point: MetricPoint) -> float | None:
        """Return the strongest baseline's training loss at the same step, None while unknown."""
        if not self.baselines_done.is_set():
            return None
        if not self._curves.get((name, seed)):
            curve = reference_curve(self.store, self.campaign.id, name, seed)
            self._curves[name, seed] = curve
        return self._curves[name, seed].get(point.step)


_FOR_BASELINES = {
    "max_exponent": 3.0,
    "max_slowdown": 100.0,
    "max_memory_ratio": 100.0,
    "require_deployable": False,
}
"""Softmax attention is quadratic, and the measure of the others all the same."""


def _source(experiment: Experiment) -> str:
    assert experiment.program is not None
    return experiment.program.source
