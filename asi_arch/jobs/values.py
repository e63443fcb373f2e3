"""What the value of a job looks like: it comes from a process in which generated code ran."""

from collections.abc import Callable
from typing import Any

from pydantic import Field

from asi_arch.jobs.paths import brief
from asi_arch.records import Dataset, Finding, Job, Record, Scored, Training


class _Findings(Record):
    findings: tuple[Finding, ...] = Field(min_length=1)


def flaw(job: Job, value: dict[str, Any] | None) -> str | None:
    """Return why `value` cannot be the answer to `job`, None if it can."""
    try:
        return _FLAWS[job.kind](job, value)
    except ValueError as error:
        return brief(error)


def _flaw_of_dataset(job: Job, value: Any) -> None:
    Dataset.model_validate(value)


def _flaw_of_findings(job: Job, value: Any) -> None:
    _Findings.model_validate(value)


def _flaw_of_probe(job: Job, value: Any) -> None:
    _trained(job, value)


def _flaw_of_training(job: Job, value: Any) -> str | None:
    return "no loss was reported" if _trained(job, value).reported is None else None


def _trained(job: Job, value: Any) -> Training:
    found = Training.model_validate(value)
    asked = (job.spec["name"], job.spec["seed"])
    if (found.stage, found.seed) != asked:
        raise ValueError(f"{(found.stage, found.seed)} was trained where {asked} was asked")
    return found


def _flaw_of_hidden(job: Job, value: Any) -> None:
    """Nothing is taken from the value: what counts is the file beside it, which is judged later."""


def _flaw_of_generated(job: Job, value: Any) -> None:
    """Whoever has asked looks at what was written."""


def _flaw_of_questions(job: Job, value: Any) -> str | None:
    return None if isinstance(value["cut_seed"], int) else "no seed was drawn"


def _flaw_of_score(job: Job, value: Any) -> None:
    Scored.model_validate(value)


_FLAWS: dict[str, Callable[[Job, Any], str | None]] = {
    "prepare": _flaw_of_dataset,
    "verify": _flaw_of_findings,
    "probe": _flaw_of_probe,
    "train": _flaw_of_training,
    "questions": _flaw_of_questions,
    "hidden": _flaw_of_hidden,
    "generate": _flaw_of_generated,
    "score": _flaw_of_score,
}
