"""Train a layer on overwriting recall; what it learned is measured elsewhere."""

import collections
import time
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.config import Probe
from asi_arch.evaluate.recall import NO_QUESTION, make_batch, vocab_size
from asi_arch.records import Training
from asi_arch.train.model import LanguageModel, build_model, device
from asi_arch.train.trainer import fit, peak_memory


def train_probe(program: str, task: Probe, seed: int) -> tuple[LanguageModel, Training]:
    """Return a model with the program's layer, trained on the task, and what that took.

    Raises:
        TrainingError: the loss is not finite.
        SizeError: the size cannot be matched.
    """
    started = time.monotonic()
    torch.manual_seed(seed)
    model, size = build_model(program, task, vocab_size(task))
    steps = fit(model, _answer_losses(model, task, seed), task.steps, task.learning_rate)
    collections.deque(steps, maxlen=0)
    seconds = time.monotonic() - started
    tokens = task.steps * task.batch_size * 2 * (task.writes + task.keys)
    return model, Training(
        stage="probe",
        seed=seed,
        parameters=size.total,
        non_embedding=size.non_embedding,
        mlp_width=size.width,
        tokens=tokens,
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        memory_bytes=peak_memory(),
    )


def _answer_losses(model: nn.Module, task: Probe, seed: int) -> Iterator[Tensor]:
    """Yield the loss at the questions of one fresh batch after another."""
    rng = np.random.default_rng(seed)
    for _ in range(task.steps):
        inputs, targets = map(torch.from_numpy, make_batch(task, task.batch_size, rng))
        logits = model(inputs.to(device()))
        yield F.cross_entropy(
            logits.flatten(0, 1), targets.to(device()).flatten(), ignore_index=NO_QUESTION
        )
