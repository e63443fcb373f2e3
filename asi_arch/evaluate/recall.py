"""Overwriting recall: the synthetic task that tells a delta rule from a decaying sum.

A sequence writes values to a few keys again and again, then asks every key for its last value.
A memory that only adds cannot forget the earlier values. Chance is one over the number of values.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asi_arch.config import Probe

NO_QUESTION = -100
_TEST_SEED = 987_654_321
_TEST_ROWS = 128

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Question:
    """Sequences that end with a question about a key, [rows, length], and the answers, [rows]."""

    inputs: Ids
    answers: Ids


def vocab_size(task: Probe) -> int:
    """Return the number of token ids: keys, then values."""
    return task.keys + task.values


def questions(task: Probe) -> dict[str, Question]:
    """Return the test, the same for everyone: other sequences for the first, second, … question.

    Each ends with its question, so the answer is nowhere in what the model gets.
    """
    rng = np.random.default_rng(_TEST_SEED)
    return {str(place): _question(task, place, rng) for place in range(task.keys)}


def _question(task: Probe, place: int, rng: np.random.Generator) -> Question:
    inputs, targets = make_batch(task, _TEST_ROWS, rng)
    end = 2 * (task.writes + place)
    return Question(inputs[:, : end + 1], targets[:, end])


def make_batch(task: Probe, rows: int, rng: np.random.Generator) -> tuple[Ids, Ids]:
    """Return inputs and targets, both [rows, 2 * (writes + keys)]; only the questions have targets.

    Key ids come first in the vocabulary, then values. Every key is written at least once if there
    are as many writes as keys; the questions come in random order, each followed by its answer.
    """
    keys = rng.integers(0, task.keys, (rows, task.writes))
    first = min(task.keys, task.writes)
    keys[:, :first] = rng.permuted(np.tile(np.arange(task.keys), (rows, 1)), axis=1)[:, :first]
    values = rng.integers(task.keys, task.keys + task.values, (rows, task.writes))
    asked = rng.permuted(np.tile(np.arange(task.keys), (rows, 1)), axis=1)
    answers = np.take_along_axis(_last_values(keys, values, task.keys), asked, axis=1)
    inputs = np.concatenate([_interleave(keys, values), _interleave(asked, answers)], axis=1)
    targets = np.full_like(inputs, NO_QUESTION)
    targets[:, 2 * task.writes :: 2] = answers
    return inputs, targets


def _last_values(keys: Ids, values: Ids, count: int) -> Ids:
    last = np.full((len(keys), count), values[:, :1])
    for step in range(keys.shape[1]):
        np.put_along_axis(last, keys[:, step : step + 1], values[:, step : step + 1], axis=1)
    return last


def _interleave(left: Ids, right: Ids) -> Ids:
    return np.stack([left, right], axis=2).reshape(len(left), -1)
