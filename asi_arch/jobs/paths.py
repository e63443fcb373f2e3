"""Every file of a job, and the one way to write them."""

import hmac
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from asi_arch.records import Claim, Job, JobResult, MetricPoint

_MOST_BYTES = 2**26


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees all of it or nothing."""
    beside = path.with_name(path.name + ".part")
    beside.unlink(missing_ok=True)
    with beside.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def brief(error: ValueError) -> str:
    """Return in one line what is wrong with a value; of several complaints the first."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return ": ".join([".".join(map(str, first["loc"])) or "all of it", first["msg"]])


def read_plain(path: Path) -> str:
    """Return the text of a file in whose place generated code may have put anything.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is a pipe, a link, a folder, or larger than any job's files.
    """
    try:
        with open(path, "rb", opener=_open_safely) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
                raise ValueError(f"{path.name} is not a plain file of at most {_MOST_BYTES} bytes")
            return file.read(_MOST_BYTES).decode(errors="replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path.name} cannot be opened: {error.strerror}") from error


def _open_safely(path: str, flags: int) -> int:
    """Open without waiting for a pipe's other end and without following a link."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


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
    def token(self) -> Path:
        """The word that only the job itself reads, before it runs any generated code."""
        return self.folder / "token"

    @property
    def claim(self) -> Path:
        """What the job says came out, with its token: a `Claim` as JSON."""
        return self.folder / "claim.json"

    @property
    def result(self) -> Path:
        """What was accepted: a `JobResult` as JSON, where no job can write."""
        return self.folder.parent / "results" / f"{self.folder.name}.json"

    @property
    def metrics(self) -> Path:
        """The training curve so far, one `MetricPoint` a line."""
        return self.folder / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        """What a training has saved of itself on the way; gone when it ends."""
        return self.folder / "checkpoint.safetensors"

    @property
    def weights(self) -> Path:
        """What a training job has trained."""
        return self.folder / "weights.safetensors"

    @property
    def whole(self) -> Path:
        """Questions that show a model whole windows of text."""
        return self.folder / "whole.npz"

    @property
    def prefixes(self) -> Path:
        """Questions that show a model only what it may see."""
        return self.folder / "prefixes.npz"

    @property
    def hidden(self) -> Path:
        """The hidden states that a model answered with."""
        return self.folder / "hidden.safetensors"

    @property
    def log(self) -> Path:
        """All that the job printed."""
        return self.folder / "log.txt"

    def read_job(self) -> Job:
        """Return the job that was asked for."""
        return Job.model_validate_json(read_plain(self.job))

    def take_token(self) -> str:
        """Return the token and leave no trace of it."""
        token = self.token.read_text()
        self.token.unlink()
        return token

    def read_result(self) -> JobResult | None:
        """Return what was accepted, None while there is nothing."""
        try:
            return JobResult.model_validate_json(self.result.read_text())
        except FileNotFoundError:
            return None

    def write_result(self, result: JobResult) -> None:
        """Accept a result; it is whole or absent at any moment."""
        self.result.parent.mkdir(exist_ok=True)
        write_whole(self.result, result.model_dump_json())

    def read_claim(self, token: str) -> JobResult:
        """Return what the job says came out.

        Raises:
            FileNotFoundError: it says nothing.
            ValueError: that cannot be read, or somebody else has written it.
        """
        claim = Claim.model_validate_json(read_plain(self.claim))
        if not hmac.compare_digest(claim.token, token):
            raise ValueError("it was not written by the job itself")
        return claim.result

    def write_claim(self, claim: Claim) -> None:
        """Say what came out."""
        write_whole(self.claim, claim.model_dump_json())

    def append_metric(self, point: MetricPoint) -> None:
        """Add a point to the training curve."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(point.model_dump_json() + "\n")

    def read_metrics(self, skip: int = 0) -> list[MetricPoint]:
        """Return the finished lines of the training curve after the first `skip`.

        The file lies where generated code can write: the reading ends at a line that is no point.
        """
        try:
            lines = read_plain(self.metrics).split("\n")[:-1]
            return [MetricPoint.model_validate_json(line) for line in lines[skip:]]
        except (OSError, ValueError):
            return []
