"""Inside the job's process: read the job, do it, leave exactly one result behind."""

import errno
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asi_arch.errors import AsiArchError
from asi_arch.jobs.paths import JobPaths
from asi_arch.records import Job, JobError, JobResult

DISK_FULL = 75
"""Exit code of a process that could not even write why it failed."""

_TRACE_CHARACTERS = 8000


def run_job(folder: Path) -> None:
    """Do the job in `folder` and write its result, be it a value or the reason why not."""
    paths = JobPaths(folder)
    started = time.monotonic()
    try:
        job = paths.read_job()
        value, error = KINDS[job.kind](job, paths), None
    except BaseException as problem:  # noqa: BLE001 - generated code may raise anything
        value, error = None, describe(problem)
    seconds = time.monotonic() - started
    try:
        paths.write_result(JobResult(value=value, error=error, seconds=seconds))
    except ValueError as problem:  # text that is no Unicode
        paths.write_result(JobResult(error=describe(problem), seconds=seconds))


def describe(problem: BaseException) -> JobError:
    """Return what a person or an engineer needs to know about an exception of a job."""
    trace = "".join(traceback.format_exception(problem))[-_TRACE_CHARACTERS:]
    message = f"{type(problem).__name__}: {problem}"
    if isinstance(problem, AsiArchError):
        return JobError(kind="exception", message=str(problem))
    if isinstance(problem, MemoryError) or "allocate memory" in message:
        return JobError(kind="memory", message=f"out of memory: {message}", trace=trace)
    if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
        return JobError(kind="disk", message=f"the disk is full: {message}", trace=trace)
    return JobError(kind="exception", message=message, trace=trace)


def _prepare(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Data
    from asi_arch.train.data import prepare

    dataset = prepare(Data(**job.spec["data"]), Path(job.spec["folder"]))
    return dataset.model_dump(mode="json")


def _verify(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.verify import VerifySettings, verify

    findings = verify(job.program, VerifySettings(**job.spec))
    return {"findings": [finding.model_dump(mode="json") for finding in findings]}


def _probe(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Probe
    from asi_arch.evaluate.recall import probe

    measurement = probe(job.program, Probe(**job.spec["stage"]), job.spec["seed"])
    return measurement.model_dump(mode="json")


def _train(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Stage
    from asi_arch.train.trainer import train

    measurement = train(
        job.program,
        Stage(**job.spec["stage"]),
        name=job.spec["name"],
        seed=job.spec["seed"],
        folder=Path(job.spec["folder"]),
        on_progress=paths.append_metric,
    )
    return measurement.model_dump(mode="json")


KINDS: dict[str, Callable[[Job, JobPaths], dict[str, Any]]] = {
    "prepare": _prepare,
    "verify": _verify,
    "probe": _probe,
    "train": _train,
}
