"""Overwriting recall: the synthetic task that tells a delta rule from a decaying sum.

A sequence writes values to a few keys again and again, then asks every key for its last value.
A memory that only adds cannot forget the earlier values. Chance is one over the number of values.
"""

import math
import resource
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.config import Probe
from asi_arch.records import Measurement, Score
from asi_arch.train.model import build_model, device
from asi_arch.train.trainer import fit

_IGNORE = -100
_TEST_SEED = 987_654_321
_TEST_ROWS = 128

Ids = npt.NDArray[np.int64]


def probe(program: str, task: Probe, seed: int) -> Measurement:
    """Train the program's layer on the task and return its accuracy as the score `overwrite`.

    Raises:
        TrainingError: the loss is not finite.
        SizeError: the size cannot be matched.
    """
    started = time.monotonic()
    torch.manual_seed(seed)
    model, size = build_model(program, task, task.keys + task.values)
    losses = list(fit(model, _answer_losses(model, task, seed), task.steps, task.learning_rate))
    accuracy = _accuracy(model, task)
    seconds = time.monotonic() - started
    tokens = task.steps * task.batch_size * 2 * (task.writes + task.keys)
    return Measurement(
        stage="probe",
        seed=seed,
        parameters=size.total,
        non_embedding=size.non_embedding,
        mlp_width=size.width,
        tokens=tokens,
        loss=float(np.mean(losses[-max(1, task.steps // 10) :])),
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        scores=(accuracy,),
    )


def make_batch(task: Probe, rows: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
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
    targets = np.full_like(inputs, _IGNORE)
    targets[:, 2 * task.writes :: 2] = answers
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def _last_values(keys: Ids, values: Ids, count: int) -> Ids:
    last = np.full((len(keys), count), values[:, :1])
    for step in range(keys.shape[1]):
        np.put_along_axis(last, keys[:, step : step + 1], values[:, step : step + 1], axis=1)
    return last


def _interleave(left: Ids, right: Ids) -> Ids:
    return np.stack([left, right], axis=2).reshape(len(left), -1)


def _answer_losses(model: nn.Module, task: Probe, seed: int) -> Iterator[Tensor]:
    """Yield the loss at the questions of one fresh batch after another."""
    rng = np.random.default_rng(seed)
    for _ in range(task.steps):
        inputs, targets = make_batch(task, task.batch_size, rng)
        logits = model(inputs.to(device()))
        yield F.cross_entropy(logits.flatten(0, 1), targets.to(device()).flatten())


@torch.no_grad()
def _accuracy(model: nn.Module, task: Probe) -> Score:
    """Share of questions answered rightly, on sequences that are the same for everyone."""
    model.eval()
    inputs, targets = make_batch(task, _TEST_ROWS, np.random.default_rng(_TEST_SEED))
    asked = targets != _IGNORE
    right = model(inputs.to(device())).argmax(-1).cpu()[asked] == targets[asked]
    share, count = right.double().mean().item(), right.numel()
    error = math.sqrt(share * (1 - share) / count)
    return Score(benchmark="overwrite", metric="accuracy", value=share, error=error, n=count)
