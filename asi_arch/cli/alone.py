"""Do the jobs of a campaign for one file, in a temporary folder, without a database."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asi_arch.config import Config
from asi_arch.errors import AsiArchError, UserError
from asi_arch.records import (
    Dataset,
    Finding,
    JobError,
    Limits,
    Measurement,
    MetricPoint,
    SandboxMode,
    Training,
)

if TYPE_CHECKING:
    from asi_arch.jobs import LocalRunner


_LONGEST_PROGRAM = 2**20
_MACHINE = ("disk", "killed")
"""Kinds of errors that are not the program's fault."""


def read_program(path: Path) -> str:
    """Return the text of a program file.

    Raises:
        UserError: it cannot be read, is not text, or is longer than any program.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST_PROGRAM + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a Python file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file; name a Python file") from error
    if len(text) > _LONGEST_PROGRAM:
        raise UserError(f"{path} has over {_LONGEST_PROGRAM} characters; name a Python file")
    return text


@asynccontextmanager
async def temporary_runner(
    sandbox: SandboxMode = "auto", gpus: int | None = None
) -> "AsyncIterator[LocalRunner]":
    """Give a runner whose folders are gone afterwards."""
    from asi_arch.jobs import LocalRunner
    from asi_arch.jobs.folders import remove

    runner = LocalRunner(Path(tempfile.mkdtemp(prefix="asi-arch-")), sandbox, gpus=gpus)
    try:
        yield runner
    finally:
        await runner.close()
        remove(runner.root)


async def verify_alone(
    runner: "LocalRunner",
    config: Config,
    program: str,
    changes: Mapping[str, Any] | None = None,
    name: str = "verify",
) -> list[Finding]:
    """Return the findings about a program at the sizes of `explore`.

    Raises:
        UserError: the machine is at fault: its disk is full, or somebody killed the job.
    """
    from asi_arch.jobs.findings import findings_of
    from asi_arch.jobs.spec import verify_job

    job = verify_job(name, program, config, changes)
    result = await runner.run(job)
    if result.error is not None and result.error.kind in _MACHINE:
        raise broken_off(result.error, job.limits)
    return findings_of(result, job.limits)


async def prepare_alone(runner: "LocalRunner", config: Config) -> Dataset:
    """Prepare the data for trainings of this runner and describe them.

    Raises:
        UserError: they cannot be read.
    """
    from asi_arch.jobs.spec import prepare_job, require_vocabulary

    require_vocabulary(config)
    result = await runner.run(prepare_job(config, _data(runner, config)))
    if result.error is not None:
        raise UserError(result.error.message)
    return Dataset.model_validate(result.value)


async def train_alone(
    runner: "LocalRunner",
    config: Config,
    program: str,
    stage: str,
    seed: int,
    on_progress: Callable[[MetricPoint], None],
) -> Measurement:
    """Return the measurement of a program at a stage with one seed, the data being prepared.

    Raises:
        AsiArchError: the program broke its job off, or is not honest.
    """
    from asi_arch.measure import Examiner

    examiner = Examiner(runner, config, _data(runner, config))
    with _explained():
        found = await examiner.measure(f"{stage}-{seed}", program, stage, seed, on_progress)
    return _honest(found)


@dataclass(frozen=True)
class TrainedElsewhere:
    """Weights that were trained without the sandbox, and what that training says of itself."""

    weights: Path
    training: Training


def read_training(folder: Path, stage: str) -> TrainedElsewhere:
    """Return what `python -m asi_arch.train --out FOLDER` has left.

    Raises:
        UserError: that is not there, or of another stage.
    """
    path = folder / "training.json"
    try:
        training = Training.model_validate_json(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no finished training; make one with: torchrun -m asi_arch.train --out "
            f"{folder}"
        ) from error
    if training.stage != stage:
        raise UserError(f"{folder} was trained at {training.stage}, not at {stage}; name that")
    return TrainedElsewhere(folder / "weights.safetensors", training)


async def measure_alone(
    runner: "LocalRunner", config: Config, program: str, elsewhere: TrainedElsewhere
) -> Measurement:
    """Return the measurement of weights that were trained elsewhere, the data being prepared.

    Raises:
        AsiArchError: the program broke its job off, or is not honest.
    """
    from asi_arch.jobs.spec import Trained
    from asi_arch.measure import Examiner

    done = elsewhere.training
    weights = elsewhere.weights.resolve()
    trained = Trained(program, done.stage, done.seed, weights, done.reported)
    examiner = Examiner(runner, config, _data(runner, config))
    with _explained():
        scored = await examiner.examine("trained", trained)
    return _honest(Measurement(**dict(scored), **done.model_dump(exclude={"reported"})))


@contextmanager
def _explained() -> Iterator[None]:
    """Raise what a user can act on where a job gave no value."""
    from asi_arch.measure import JobFailed

    try:
        yield
    except JobFailed as failure:
        raise broken_off(failure.error, failure.job.limits) from failure


def _honest(found: Measurement) -> Measurement:
    if found.audit is not None and found.audit.flaw:
        raise AsiArchError(f"the program is dishonest: {found.audit.flaw}")
    return found


def _data(runner: "LocalRunner", config: Config) -> Path:
    from asi_arch.jobs.spec import data_folder

    return data_folder(config, runner.root / "data")


def broken_off(error: JobError, limits: Limits) -> AsiArchError:
    """Return what to raise when a job gave no value: a UserError where the machine is at fault."""
    if error.kind in _MACHINE:
        return UserError(
            f"the job was broken off: {error.message}; unless the program did so itself, free some "
            "memory and disk space and try again"
        )
    allowed = f"{limits.seconds:g} seconds and {limits.memory_bytes / 2**30:g} GiB"
    limit = f" (allowed are {allowed})" if error.kind in ("timeout", "memory") else ""
    raised = AsiArchError(f"the program broke its job off: {error.message}{limit}")
    raised.add_note(error.trace)
    return raised
