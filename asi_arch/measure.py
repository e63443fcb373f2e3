"""Measure a program at a stage: train it, then find out in fresh processes what the weights do.

The training job runs generated code beside its own loss, so what it says is a claim. The weights
it leaves are loaded into fresh processes, which get token ids without labels: one the whole
windows, another prefixes only. Jobs without generated code write these questions, and compute the
losses from the hidden states that come back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asi_arch.config import Config
from asi_arch.errors import AsiArchError
from asi_arch.interfaces import Runner
from asi_arch.jobs.paths import JobPaths
from asi_arch.jobs.spec import Trained, hidden_job, questions_job, score_job, training_job
from asi_arch.records import Job, JobError, Measurement, MetricPoint, Pace, Scored, Training


class JobFailed(AsiArchError):
    """A job gave no value; `error` says why."""

    def __init__(self, job: Job, error: JobError) -> None:
        super().__init__(error.message)
        self.job = job
        self.error = error


@dataclass(frozen=True)
class Examiner:
    """Runs the jobs that find out what weights are worth; the data lie in the folder `data`."""

    runner: Runner
    config: Config
    data: Path

    async def measure(
        self,
        name: str,
        program: str,
        stage: str,
        seed: int,
        on_progress: Callable[[MetricPoint], None],
        pace: Pace | None = None,
    ) -> Measurement:
        """Train a program by the job `name` and return what came out.

        Raises:
            JobFailed: a job gave no value.
        """
        job = training_job(name, program, self.config, stage, seed, self.data, pace)
        training = Training.model_validate(await self._value(job, on_progress))
        weights = JobPaths(self.runner.folder(name)).weights
        trained = Trained(program, stage, seed, weights, training.reported)
        scored = await self.examine(name, trained)
        return Measurement(**dict(scored), **training.model_dump(exclude={"reported"}))

    async def examine(self, name: str, trained: Trained) -> Scored:
        """Return what weights are worth; the names of the jobs begin with `name`.

        Raises:
            JobFailed: a job gave no value.
        """
        is_probe = trained.stage == "probe"
        job = questions_job(f"{name}-questions", self.config, trained, self.data)
        cut_seed = (await self._value(job))["cut_seed"]
        asked = JobPaths(self.runner.folder(job.name))
        answers = {"whole": await self._ask(f"{name}-whole", trained, asked.whole, int(is_probe))}
        if not is_probe:
            answers["prefixes"] = await self._ask(f"{name}-prefixes", trained, asked.prefixes, 1)
        job = score_job(f"{name}-score", self.config, trained, self.data, answers, cut_seed)
        return Scored.model_validate(await self._value(job))

    async def _ask(self, name: str, trained: Trained, questions: Path, last: int) -> Path:
        """Return the file of hidden states that a fresh process answers with."""
        job = hidden_job(name, self.config, trained, questions, last)
        await self._value(job)
        return JobPaths(self.runner.folder(name)).hidden

    async def _value(
        self, job: Job, on_progress: Callable[[MetricPoint], None] = lambda point: None
    ) -> dict[str, Any]:
        result = await self.runner.run(job, on_progress)
        if result.value is None:
            assert result.error is not None
            raise JobFailed(job, result.error)
        return result.value
