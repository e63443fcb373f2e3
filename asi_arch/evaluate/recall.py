"""Synthetic tasks that tell what a memory can do: facts in a row, then questions about them.

- `overwrite`: values are written to a few keys again and again, the last one is asked. A memory
  that only adds cannot forget the earlier ones.
- `recall`: as many keys, each written once (multi-query associative recall, arXiv 2312.04927).
- `recall_full`: the same with as many keys as a head has channels, near what its state can hold.
- `fuzzy`: keys of two tokens, which share their halves (arXiv 2403.17844).
- `compression`: values without keys, asked by their place in the row (in the spirit of the same).

Chance is one over the number of values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asi_arch.config import Probe, ProbeTask

NO_QUESTION = -100
_TEST_SEED = 987_654_321
_TEST_ROWS = 128

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Question:
    """Sequences that end with a question, [rows, length], and the answers, [rows]."""

    inputs: Ids
    answers: Ids


@dataclass(frozen=True)
class Facts:
    """What is said, [rows, length], then asked, [rows, questions, tokens], and right [rows, q]."""

    said: Ids
    asked: Ids
    answers: Ids


def vocab_size(task: Probe, name: ProbeTask) -> int:
    """Return the number of token ids: those of keys or places, then values."""
    first = {"recall_full": _load(task), "compression": task.writes}.get(name, task.keys)
    return first + task.values


def questions(task: Probe) -> dict[str, Question]:
    """Return the tests, the same for everyone: other sequences for each question of each task.

    Each ends with its question, so the answer is nowhere in what the model gets. Their names are
    `task.number`.
    """
    return {
        f"{name}.{place}": question
        for name in task.tasks
        for place, question in enumerate(_test(task, name))
    }


def _test(task: Probe, name: ProbeTask) -> list[Question]:
    rng = np.random.default_rng(_TEST_SEED)
    count = _FACTS[name](task, 1, np.random.default_rng(0)).asked.shape[1]
    return [_question(task, name, place, rng) for place in range(count)]


def _question(task: Probe, name: ProbeTask, place: int, rng: np.random.Generator) -> Question:
    facts = _FACTS[name](task, _TEST_ROWS, rng)
    width = facts.asked.shape[2]
    end = facts.said.shape[1] + place * (width + 1) + width
    return Question(_sequence(facts)[:, :end], facts.answers[:, place])


def make_batch(
    task: Probe, name: ProbeTask, rows: int, rng: np.random.Generator
) -> tuple[Ids, Ids]:
    """Return inputs and targets of a task, both [rows, length]; only the questions have targets."""
    facts = _FACTS[name](task, rows, rng)
    inputs, width = _sequence(facts), facts.asked.shape[2]
    targets = np.full_like(inputs, NO_QUESTION)
    targets[:, facts.said.shape[1] + width - 1 :: width + 1] = facts.answers
    return inputs, targets


def _sequence(facts: Facts) -> Ids:
    """Put facts and questions in a row, each question followed by its answer."""
    asked = np.concatenate([facts.asked, facts.answers[:, :, None]], axis=2)
    return np.concatenate([facts.said, asked.reshape(len(asked), -1)], axis=1)


def _overwrite(task: Probe, rows: int, rng: np.random.Generator) -> Facts:
    return _written(task, task.keys, task.writes, rows, rng)


def _recall(task: Probe, rows: int, rng: np.random.Generator) -> Facts:
    return _written(task, task.keys, task.keys, rows, rng)


def _recall_full(task: Probe, rows: int, rng: np.random.Generator) -> Facts:
    return _written(task, _load(task), _load(task), rows, rng)


def _load(task: Probe) -> int:
    """Return how many pairs come near what the state of a head of so many channels can hold."""
    return task.hidden_size // task.num_heads


def _written(task: Probe, known: int, writes: int, rows: int, rng: np.random.Generator) -> Facts:
    """Write values to keys, each key at least once, and ask for all keys in random order."""
    keys = rng.integers(0, known, (rows, writes))
    keys[:, :known] = rng.permuted(np.tile(np.arange(known), (rows, 1)), axis=1)
    values = rng.integers(known, known + task.values, (rows, writes))
    asked = rng.permuted(np.tile(np.arange(known), (rows, 1)), axis=1)
    answers = np.take_along_axis(_last_values(keys, values, known), asked, axis=1)
    return Facts(_interleave(keys, values), asked[:, :, None], answers)


def _fuzzy(task: Probe, rows: int, rng: np.random.Generator) -> Facts:
    """Write values to keys of two tokens, no two the same, and ask for all in random order."""
    count = task.keys
    pairs = rng.permuted(np.tile(np.arange(count**2), (rows, 1)), axis=1)[:, :count]
    values = rng.integers(count, count + task.values, (rows, count))
    order = rng.permuted(np.tile(np.arange(count), (rows, 1)), axis=1)
    keys = np.stack([pairs // count, pairs % count], axis=2)
    said = np.concatenate([keys, values[:, :, None]], axis=2).reshape(rows, -1)
    asked = np.take_along_axis(keys, order[:, :, None], axis=1)
    return Facts(said, asked, np.take_along_axis(values, order, axis=1))


def _compression(task: Probe, rows: int, rng: np.random.Generator) -> Facts:
    """Say values only, and ask for all of them by place, in random order."""
    values = rng.integers(task.writes, task.writes + task.values, (rows, task.writes))
    asked = rng.permuted(np.tile(np.arange(task.writes), (rows, 1)), axis=1)
    return Facts(values, asked[:, :, None], np.take_along_axis(values, asked, axis=1))


_FACTS: Mapping[ProbeTask, Callable[[Probe, int, np.random.Generator], Facts]] = {
    "overwrite": _overwrite,
    "recall": _recall,
    "recall_full": _recall_full,
    "fuzzy": _fuzzy,
    "compression": _compression,
}


def _last_values(keys: Ids, values: Ids, count: int) -> Ids:
    last = np.full((len(keys), count), values[:, :1])
    for step in range(keys.shape[1]):
        np.put_along_axis(last, keys[:, step : step + 1], values[:, step : step + 1], axis=1)
    return last


def _interleave(left: Ids, right: Ids) -> Ids:
    return np.stack([left, right], axis=2).reshape(len(left), -1)
