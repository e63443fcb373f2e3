"""Ask a trained model about texts it has never seen, from outside the process that runs it.

Each question becomes a job that gets token ids; what comes back are hidden states, or the token ids
that the model would write on. Whoever asks keeps what would be right.
"""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from asi_arch.config import Config
from asi_arch.errors import AsiArchError
from asi_arch.evaluate.questions import write_questions
from asi_arch.interfaces import Runner
from asi_arch.jobs.paths import JobPaths
from asi_arch.jobs.spec import Trained, generate_job, hidden_job
from asi_arch.records import Job, JobResult
from asi_arch.train.weights import read_tensors

Rows = Sequence[Sequence[int]]
Places = Sequence[int]

_STATE_BYTES = 2**28
"""Of hidden states in one answer."""


class NoAnswer(AsiArchError):
    """A job about a trained model gave nothing that can be used."""


@dataclass
class Asker:
    """Asks one trained model; `wait` runs a job to its end from whatever thread asks."""

    runner: Runner
    config: Config
    trained: Trained
    wait: Callable[[Coroutine[Any, Any, JobResult]], JobResult]
    asked: int = 0

    def last_states(self, rows: Rows, last: int) -> list[Tensor]:
        """Return the last hidden states of each row, [last, d], fewer where a row is shorter.

        Raises:
            NoAnswer: the job broke off, or its answer has another shape.
            WeightsError: its answer cannot be read.
        """
        width = getattr(self.config, self.trained.stage).hidden_size
        most = max(1, _STATE_BYTES // (4 * last * width))
        found: dict[int, Tensor] = {}
        for start in range(0, len(rows), most):
            groups = _by_length(rows, range(start, min(start + most, len(rows))))
            hidden = self._run(self._hidden_job(rows, groups, last)).hidden
            for name, states in read_tensors(hidden, list(groups)).items():
                shape = (len(groups[name]), min(last, int(name)), width)
                found |= zip(groups[name], _shaped(states, shape), strict=True)
        return [found[place] for place in range(len(rows))]

    def written(self, rows: Rows, count: int) -> list[list[int]]:
        """Return the `count` token ids that the model finds likeliest, one after another.

        Raises:
            NoAnswer: the job broke off, or its answer has another shape.
        """
        groups = _by_length(rows, range(len(rows)))
        name, questions = self._write(rows, groups)
        value = self._value(generate_job(name, self.config, self.trained, questions, count))
        found: dict[int, list[int]] = {}
        for length, places in groups.items():
            found |= zip(places, _ids(value, length, len(places), count), strict=True)
        return [found[place] for place in range(len(rows))]

    def _hidden_job(self, rows: Rows, groups: dict[str, list[int]], last: int) -> Job:
        name, questions = self._write(rows, groups)
        return hidden_job(name, self.config, self.trained, questions, last)

    def _write(self, rows: Rows, groups: dict[str, list[int]]) -> tuple[str, Path]:
        """Write the rows of each length together; return the name of the job to come, and them."""
        self.asked += 1
        folder = self.runner.folder("asked")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.asked}.npz"
        batches = {name: np.array([rows[p] for p in places]) for name, places in groups.items()}
        write_questions(path, batches)
        return f"answer-{self.asked}", path

    def _run(self, job: Job) -> JobPaths:
        self._value(job)
        return JobPaths(self.runner.folder(job.name))

    def _value(self, job: Job) -> dict[str, Any]:
        result = self.wait(self.runner.run(job))
        if result.value is None:
            assert result.error is not None
            raise NoAnswer(f"the model could not be asked: {result.error.message}")
        return result.value


def _by_length(rows: Rows, places: Places) -> dict[str, list[int]]:
    """Group places by the length of their rows: no row is ever padded."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place in places:
        groups[str(len(rows[place]))].append(place)
    return dict(groups)


def _shaped(states: Tensor, shape: tuple[int, int, int]) -> Tensor:
    if states.numel() != shape[0] * shape[1] * shape[2] or not states.isfinite().all():
        raise NoAnswer(f"hidden states {list(states.shape)} came back where {shape} were asked")
    return states.reshape(shape).float()


def _ids(value: dict[str, Any], name: str, rows: int, count: int) -> list[list[int]]:
    """Return what was written after the texts of one length; generated code may have forged it."""
    try:
        ids = np.array(value["written"][name], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise NoAnswer("what the model wrote is unreadable") from error
    if ids.shape != (rows, count):
        raise NoAnswer(f"{list(ids.shape)} token ids came back where {[rows, count]} were asked")
    return [list(map(int, row)) for row in ids]
