"""Train a layer on the synthetic tasks; what it learned is measured elsewhere."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from asi_arch.config import Probe, ProbeTask
from asi_arch.evaluate.recall import NO_QUESTION, make_batch, vocab_size
from asi_arch.records import Training
from asi_arch.train.model import LanguageModel, build_model, device
from asi_arch.train.parallel import whole
from asi_arch.train.sizes import ModelSize
from asi_arch.train.trainer import device_name, fit, peak_memory

_CLOSING = 20
"""Steps at the end whose mean loss chooses between learning rates."""


@dataclass(frozen=True)
class _Try:
    model: LanguageModel
    size: ModelSize
    rate: float
    losses: list[float]
    tokens: int

    @property
    def closing_loss(self) -> float:
        """The mean loss of the last steps."""
        last = self.losses[-_CLOSING:]
        return sum(last) / len(last)


def train_probe(
    program: str, task: Probe, seed: int
) -> tuple[dict[ProbeTask, LanguageModel], Training]:
    """Return a model with the program's layer for each task, and what their training took.

    Each task is trained with every learning rate; kept is that of the lowest closing loss.

    Raises:
        TrainingError: the loss is not finite.
        SizeError: the size cannot be matched.
    """
    started = time.monotonic()
    rates = task.learning_rates or (task.learning_rate,)
    tries = {name: [_train(program, task, name, r, seed) for r in rates] for name in task.tasks}
    best = {name: min(own, key=lambda one: one.closing_loss) for name, own in tries.items()}
    seconds = time.monotonic() - started
    first, tokens = best[task.tasks[0]], sum(one.tokens for own in tries.values() for one in own)
    return {name: one.model for name, one in best.items()}, Training(
        stage="probe",
        seed=seed,
        parameters=first.size.total,
        non_embedding=first.size.non_embedding,
        mlp_width=first.size.width,
        flops_per_token=first.size.flops_per_token,
        learning_rate=first.rate,
        sweep={} if len(rates) == 1 else _sweep(tries),
        tokens=tokens,
        device=device_name(),
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        memory_bytes=peak_memory(),
    )


def save_models(models: Mapping[ProbeTask, LanguageModel], path: Path) -> None:
    """Write the weights of all models, each name after that of its task."""
    tensors = {
        f"{task}.{name}": whole(tensor)
        for task, model in models.items()
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, path)


def _train(program: str, task: Probe, name: ProbeTask, rate: float, seed: int) -> _Try:
    torch.manual_seed(seed)
    model, size = build_model(program, task, vocab_size(task, name))
    batches = list(_batches(task, name, seed))
    losses = list(fit(model, _answer_losses(model, batches), task.steps, rate))
    return _Try(model, size, rate, losses, sum(inputs.numel() for inputs, _ in batches))


def _batches(task: Probe, name: ProbeTask, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    rng = np.random.default_rng(seed)
    for _ in range(task.steps):
        inputs, targets = make_batch(task, name, task.batch_size, rng)
        yield torch.from_numpy(inputs), torch.from_numpy(targets)


def _answer_losses(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
    """Yield the loss at the questions of one fresh batch after another."""
    for inputs, targets in batches:
        logits = model(inputs.to(device()))
        yield F.cross_entropy(
            logits.flatten(0, 1), targets.to(device()).flatten(), ignore_index=NO_QUESTION
        )


def _sweep(tries: Mapping[ProbeTask, list[_Try]]) -> dict[str, float]:
    return {f"{name} {one.rate:g}": one.closing_loss for name, own in tries.items() for one in own}
