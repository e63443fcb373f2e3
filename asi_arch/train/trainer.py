"""Train one program at one stage with one seed; what it learned is measured elsewhere."""

import math
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.config import Stage
from asi_arch.data import VOCAB_SIZE, Ids, Tokens, batches, closing_windows, load
from asi_arch.errors import AsiArchError
from asi_arch.records import MetricPoint, Training
from asi_arch.train.model import LanguageModel, build_model, device

_POINTS = 20


class TrainingError(AsiArchError):
    """A training that cannot give a number; the run is stored as failed with this reason."""


def train(
    program: str,
    stage: Stage,
    *,
    name: str,
    seed: int,
    text: Path,
    on_progress: Callable[[MetricPoint], None],
) -> tuple[LanguageModel, Training]:
    """Return the model of `program` at `stage`, trained on `text`, and what that took.

    Everyone sees the same tokens in the same order for the same seed, at the same number of
    parameters. Losses are nats per token.

    Raises:
        TrainingError: the loss is not finite.
        SizeError: the size cannot be matched.
    """
    started = time.monotonic()
    tokens = load(text)
    torch.manual_seed(seed)
    model, size = build_model(program, stage, VOCAB_SIZE)
    curve = list(_optimise(model, stage, tokens, seed, on_progress))
    seconds = time.monotonic() - started
    return model, Training(
        stage=name,
        seed=seed,
        parameters=size.total,
        non_embedding=size.non_embedding,
        mlp_width=size.width,
        tokens=stage.steps * stage.batch_size * stage.length,
        reported=window_losses(model, closing_windows(tokens, stage.length)).mean().item(),
        seconds=seconds,
        tokens_per_second=stage.steps * stage.batch_size * stage.length / seconds,
        memory_bytes=peak_memory(),
        curve=tuple(curve),
    )


def fit(
    model: nn.Module,
    losses: Iterable[Tensor],
    steps: int,
    learning_rate: float,
    warmup: float = 0.1,
    weight_decay: float = 0.0,
    gradient_clip: float = 1.0,
) -> Iterator[float]:
    """Take one optimiser step on each of `losses` and yield its value.

    AdamW that decays matrices only, linear warm-up, cosine down to a tenth.

    Raises:
        TrainingError: a loss is not finite.
    """
    optimizer = _adamw(model, learning_rate, weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, steps, warmup)
    )
    for step, loss in enumerate(losses, start=1):
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), gradient_clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if not loss.isfinite():
            raise TrainingError(f"the training loss became {loss.item()} at step {step}")
        yield loss.item()


def _adamw(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95), fused=True)


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then cosine down to a tenth."""
    warm = max(1, round(warmup * steps))
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * progress))


def token_losses(model: nn.Module, tokens: Tensor) -> Tensor:
    """Loss in nats of each predicted token: [batch, length + 1] ids to [batch, length]."""
    tokens = tokens.to(device=device(), dtype=torch.long)
    with torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda"):
        logits = model(tokens[:, :-1])
    return F.cross_entropy(logits.float().transpose(1, 2), tokens[:, 1:], reduction="none")


def _optimise(
    model: nn.Module,
    stage: Stage,
    text: Tokens,
    seed: int,
    on_progress: Callable[[MetricPoint], None],
) -> Iterator[MetricPoint]:
    """Train, and yield the mean training loss of each twentieth of the way."""
    every = max(1, stage.steps // _POINTS)
    data = batches(text, stage.steps, stage.batch_size, stage.length, seed)
    losses = fit(
        model,
        (token_losses(model, torch.from_numpy(tokens)).mean() for tokens in data),
        steps=stage.steps,
        learning_rate=stage.learning_rate,
        warmup=stage.warmup,
        weight_decay=stage.weight_decay,
        gradient_clip=stage.gradient_clip,
    )
    recent: list[float] = []
    for step, loss in enumerate(losses, start=1):
        recent.append(loss)
        if step % every == 0 or step == stage.steps:
            tokens = step * stage.batch_size * stage.length
            point = MetricPoint(step=step, tokens=tokens, loss=sum(recent) / len(recent))
            recent.clear()
            on_progress(point)
            yield point


@torch.no_grad()
def window_losses(model: nn.Module, windows: Ids, rows: int = 16) -> Tensor:
    """Mean loss of each window [count, length + 1] in nats per token, by this process's account.

    Raises:
        TrainingError: one of them is not finite.
    """
    model.eval()
    parts = torch.split(torch.from_numpy(windows), rows)
    losses = torch.cat([token_losses(model, part).mean(1) for part in parts])
    if not losses.isfinite().all():
        raise TrainingError("the loss after training is not finite")
    return losses.double().cpu()


def peak_memory() -> int:
    """Bytes: the GPU's allocator peak, or this process's resident peak."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
