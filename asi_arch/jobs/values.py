"""What the value of a job looks like: it comes from a process in which generated code ran."""

from collections.abc import Callable
from typing import Any

from pydantic import Field

from asi_arch.jobs.paths import brief
from asi_arch.records import Dataset, Finding, Job, Measurement, Record


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


def _flaw_of_probe(job: Job, value: Any) -> str | None:
    return None if _measured(job, value).scores else "no score was measured"


def _flaw_of_training(job: Job, value: Any) -> str | None:
    return "no loss was measured" if _measured(job, value).loss is None else None


def _measured(job: Job, value: Any) -> Measurement:
    found = Measurement.model_validate(value)
    asked = (job.spec["name"], job.spec["seed"])
    if (found.stage, found.seed) != asked:
        raise ValueError(f"{(found.stage, found.seed)} was measured where {asked} was asked")
    return found


_FLAWS: dict[str, Callable[[Job, Any], str | None]] = {
    "prepare": _flaw_of_dataset,
    "verify": _flaw_of_findings,
    "probe": _flaw_of_probe,
    "train": _flaw_of_training,
}
