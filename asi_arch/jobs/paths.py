"""Every file of a job, and the one way to write them."""

import os
from dataclasses import dataclass
from pathlib import Path

from asi_arch.records import Job, JobError, JobResult, MetricPoint


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees all of it or nothing."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


@dataclass(frozen=True)
class JobPaths:
    """The files in the folder of one job."""

    folder: Path

    @property
    def job(self) -> Path:
        """What is asked: a `Job` as JSON."""
        return self.folder / "job.json"

    @property
    def program(self) -> Path:
        """The candidate's source, for people to read."""
        return self.folder / "program.py"

    @property
    def result(self) -> Path:
        """What came out: a `JobResult` as JSON, there as soon as the job is done."""
        return self.folder / "result.json"

    @property
    def metrics(self) -> Path:
        """The training curve so far, one `MetricPoint` a line."""
        return self.folder / "metrics.jsonl"

    @property
    def log(self) -> Path:
        """All that the job printed."""
        return self.folder / "log.txt"

    def read_job(self) -> Job:
        """Return the job that was asked for."""
        return Job.model_validate_json(self.job.read_text())

    def read_result(self) -> JobResult | None:
        """Return the result, None while there is none."""
        try:
            return JobResult.model_validate_json(self.result.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            return JobResult(
                error=JobError(kind="crash", message=f"the result is unreadable: {error}")
            )

    def write_result(self, result: JobResult) -> None:
        """Put the result in place; it is valid or absent at any moment."""
        write_whole(self.result, result.model_dump_json())

    def append_metric(self, point: MetricPoint) -> None:
        """Add a point to the training curve."""
        with self.metrics.open("a") as file:
            file.write(point.model_dump_json() + "\n")

    def read_metrics(self, skip: int = 0) -> list[MetricPoint]:
        """Return the finished lines of the training curve after the first `skip`.

        The file lies where generated code can write: the reading ends at a line that is no point.
        """
        try:
            lines = self.metrics.read_text(errors="replace").split("\n")[:-1]
            return [MetricPoint.model_validate_json(line) for line in lines[skip:]]
        except (OSError, ValueError):
            return []
