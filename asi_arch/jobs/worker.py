"""Inside the job's process: read the job, do it, leave exactly one claim behind.

Generated code runs in this process. It cannot just write a claim and leave: that takes the token,
which is gone from the disk before it is loaded. A program that searches the memory of its own
process for it can still lie about itself; the audit of trained weights is made elsewhere.
"""

import errno
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asi_arch.errors import AsiArchError, OutOfMemory, StoppedEarly
from asi_arch.jobs.paths import JobPaths
from asi_arch.records import Claim, Job, JobError, JobResult, Pace

if TYPE_CHECKING:
    pass

DISK_FULL = 75
"""Exit code of a process that could not even write why it failed."""

_TRACE_CHARACTERS = 8000


def run_job(folder: Path, token: str) -> None:
    """Do the job in `folder` and write what came out, be it a value or the reason why not."""
    paths = JobPaths(folder)
    started = time.monotonic()
    try:
        job = paths.read_job()
        value, error = KINDS[job.kind](job, paths), None
    except BaseException as problem:  # noqa: BLE001 - generated code may raise anything
        value, error = None, describe(problem)
    seconds = time.monotonic() - started
    try:
        result = JobResult(value=value, error=error, seconds=seconds)
        paths.write_claim(Claim(token=token, result=result))
    except ValueError as problem:  # text that is no Unicode
        result = JobResult(error=describe(problem), seconds=seconds)
        paths.write_claim(Claim(token=token, result=result))


def describe(problem: BaseException) -> JobError:
    """Return what a person or an engineer needs to know about an exception of a job."""
    trace = "".join(traceback.format_exception(problem))[-_TRACE_CHARACTERS:]
    message = f"{type(problem).__name__}: {problem}"
    if isinstance(problem, StoppedEarly):
        return JobError(kind="stopped", message=str(problem))
    if isinstance(problem, OutOfMemory):
        return JobError(kind="memory", message=str(problem))
    if isinstance(problem, AsiArchError):
        return JobError(kind="exception", message=str(problem))
    if isinstance(problem, MemoryError) or "allocate memory" in message:
        return JobError(kind="memory", message=f"out of memory: {message}", trace=trace)
    if _is_full_disk(problem):
        return JobError(kind="disk", message=f"the disk is full: {message}", trace=trace)
    return JobError(kind="exception", message=message, trace=trace)


def _is_full_disk(problem: BaseException) -> bool:
    """Whether there was no room to write; libraries in Rust and C++ say so in their text only."""
    full = isinstance(problem, OSError) and problem.errno == errno.ENOSPC
    return full or os.strerror(errno.ENOSPC) in str(problem)


def _prepare(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Data
    from asi_arch.data import prepare

    dataset = prepare(Data(**job.spec["data"]), Path(job.spec["folder"]))
    return dataset.model_dump(mode="json")


def _verify(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.verify import VerifySettings, verify

    findings = verify(job.program, VerifySettings(**job.spec))
    return {"findings": [finding.model_dump(mode="json") for finding in findings]}


def _probe(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Probe
    from asi_arch.evaluate.probe import save_models, train_probe

    models, training = train_probe(job.program, Probe(**job.spec["stage"]), job.spec["seed"])
    save_models(models, paths.weights)
    return training.model_dump(mode="json")


def _train(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Stage
    from asi_arch.data import load
    from asi_arch.train.trainer import Task, train
    from asi_arch.train.weights import save_weights

    pace = job.spec["pace"]
    task = Task(
        job.program,
        Stage(**job.spec["stage"]),
        job.spec["seed"],
        load(Path(job.spec["text"])),
        paths.checkpoint,
        Pace(**pace) if pace else None,
    )
    model, training = train(task, job.spec["name"], paths.append_metric)
    save_weights(model, paths.weights)
    return training.model_dump(mode="json")


def _questions(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Probe, Stage
    from asi_arch.evaluate import questions, recall

    seed = questions.cut_seed(Path(job.spec["weights"]))
    if job.spec["name"] == "probe":
        asked = recall.questions(Probe(**job.spec["stage"]))
        questions.write_questions(paths.whole, {key: q.inputs for key, q in asked.items()})
    else:
        stage, data = Stage(**job.spec["stage"]), Path(job.spec["data"])
        prefixes = questions.prefix_questions(stage, data, questions.choose_cuts(stage, data, seed))
        questions.write_questions(paths.whole, questions.whole_questions(stage, data))
        questions.write_questions(paths.prefixes, prefixes)
    return {"cut_seed": seed}


def _hidden(job: Job, paths: JobPaths) -> dict[str, Any]:
    from safetensors.torch import save_file

    from asi_arch.config import Probe, Stage
    from asi_arch.evaluate.hidden import answer

    kind = Probe if job.spec["name"] == "probe" else Stage
    states = answer(
        job.program,
        kind(**job.spec["stage"]),
        seed=job.spec["seed"],
        weights=Path(job.spec["weights"]),
        questions=Path(job.spec["questions"]),
        last=job.spec["last"],
    )
    save_file(states, paths.hidden)
    return {"batches": len(states)}


def _generate(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Stage
    from asi_arch.evaluate.hidden import write_on

    written = write_on(
        job.program,
        Stage(**job.spec["stage"]),
        seed=job.spec["seed"],
        weights=Path(job.spec["weights"]),
        questions=Path(job.spec["questions"]),
        count=job.spec["count"],
    )
    return {"written": written}


def _score(job: Job, paths: JobPaths) -> dict[str, Any]:
    from asi_arch.config import Probe, Stage
    from asi_arch.evaluate.score import score_recall, score_text

    spec, weights, whole = job.spec, Path(job.spec["weights"]), Path(job.spec["whole"])
    if spec["name"] == "probe":
        return score_recall(Probe(**spec["stage"]), weights, whole).model_dump(mode="json")
    scored = score_text(
        Stage(**spec["stage"]),
        Path(spec["data"]),
        weights=weights,
        whole=whole,
        prefixes=Path(spec["prefixes"]),
        seed=spec["cut_seed"],
        reported=spec["reported"],
    )
    return scored.model_dump(mode="json")


KINDS: dict[str, Callable[[Job, JobPaths], dict[str, Any]]] = {
    "prepare": _prepare,
    "verify": _verify,
    "probe": _probe,
    "train": _train,
    "questions": _questions,
    "hidden": _hidden,
    "generate": _generate,
    "score": _score,
}
