"""Train one program at one stage with one seed; what it learned is measured elsewhere.

In jobs one process trains on one device. `python -m asi_arch.train` does the same under torchrun.
"""

import itertools
import math
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from asi_arch.config import Stage, Stop
from asi_arch.data import Tokens, batches, closing_windows
from asi_arch.errors import AsiArchError
from asi_arch.records import MetricPoint, Pace, Training
from asi_arch.train import checkpoint, parallel, stopping
from asi_arch.train.checkpoint import Progress
from asi_arch.train.loss import window_losses
from asi_arch.train.model import LanguageModel, build_model
from asi_arch.train.schedule import cosine, rate_factor
from asi_arch.train.sizes import ModelSize
from asi_arch.train.stepper import Stepper, adamw

_POINTS = 20


class TrainingError(AsiArchError):
    """A training that cannot give a number; the run is stored as failed with this reason."""


@dataclass(frozen=True)
class Task:
    """What is trained on what; `saved` is its checkpoint, `pace` the baseline's, if there are."""

    program: str
    stage: Stage
    seed: int
    tokens: Tokens
    saved: Path | None = None
    pace: Pace | None = None
    sharing: parallel.Sharing = "replicas"

    @property
    def mark(self) -> str:
        """What tells its checkpoints from others."""
        return checkpoint.belonging(self.program, self.stage, self.seed)

    @property
    def step_tokens(self) -> int:
        """Tokens of one optimiser step, over all processes."""
        return self.stage.batch_size * self.stage.length

    def stepper(self) -> tuple[Stepper, ModelSize]:
        """Return a fresh model ready to be trained, and its size."""
        torch.manual_seed(self.seed)
        vocab_size = self.stage.vocab_size or self.tokens.vocab_size
        model, size = build_model(self.program, self.stage, vocab_size)
        return Stepper(model, self.stage, self.sharing), size


def train(
    task: Task, name: str, on_progress: Callable[[MetricPoint], None]
) -> tuple[LanguageModel, Training]:
    """Return the trained model, and what the training says of itself.

    Everyone sees the same tokens in the same order for the same seed, at the same number of
    parameters. Losses are nats per token. A training with a checkpoint goes on from there, to the
    same numbers.

    Raises:
        TrainingError: the loss is not finite.
        OutOfMemory: the memory does not suffice for one sequence.
        StoppedEarly: a rule of the stage ended it.
        SizeError: the size cannot be matched.
        UserError: the checkpoint belongs to another training.
    """
    stepper, size = task.stepper()
    progress = _restored(task, stepper) or _begun(task)
    for point in progress.curve:
        on_progress(point)
    for point in _run(task, stepper, progress):
        on_progress(point)
    windows = closing_windows(task.tokens, task.stage.length)
    reported = window_losses(stepper.objective, windows).mean().item()
    if not math.isfinite(reported):
        raise TrainingError(f"the loss after training is {reported}")
    if task.saved is not None and parallel.main_process():
        task.saved.unlink(missing_ok=True)
    return stepper.model, _summary(name, task, size, stepper, progress, reported)


def _restored(task: Task, stepper: Stepper) -> Progress | None:
    if task.saved is None:
        return None
    return checkpoint.restore(task.saved, task.mark, stepper.objective, stepper.optimizer)


def _begun(task: Task) -> Progress:
    """Choose the learning rate: the stage's, or the best of its sweep by training loss."""
    if not task.stage.sweep:
        return Progress(learning_rate=task.stage.learning_rate)
    with torch.random.fork_rng():
        tried = {rate: _closing_loss(task, rate) for rate in task.stage.sweep}
    best = min(tried, key=lambda rate: (tried[rate], rate))
    return Progress(learning_rate=best, sweep={f"{rate:g}": loss for rate, loss in tried.items()})


def _closing_loss(task: Task, rate: float) -> float:
    """Return the last training loss of a short training; infinity where it diverges."""
    steps = max(1, round(task.stage.sweep_share * task.stage.steps))
    changes = {"tokens": steps * task.step_tokens, "stop": Stop()}
    short = replace(task, stage=task.stage.model_copy(update=changes), saved=None)
    stepper, _ = short.stepper()
    try:
        return [point.loss for point in _run(short, stepper, Progress(learning_rate=rate))][-1]
    except TrainingError:
        return math.inf


def _run(task: Task, stepper: Stepper, progress: Progress) -> Iterator[MetricPoint]:
    """Train to the end, and yield the mean training loss of each twentieth of the way."""
    stage, first = task.stage, progress.step
    every = max(1, stage.steps // _POINTS)
    started = saved = time.monotonic()
    before = progress.seconds
    data = batches(task.tokens, stage.steps, stage.batch_size, stage.length, task.seed)
    for batch in stepper.timed(itertools.islice(data, first, None), first):
        rate = progress.learning_rate * rate_factor(stage, progress.step, stage.steps)
        _count(progress, stepper.step(torch.from_numpy(batch), rate))
        now = time.monotonic()
        progress.seconds = before + now - started
        if progress.step % every == 0 or progress.step == stage.steps:
            yield _point(progress, task)
            speed = (progress.step - first) * task.step_tokens / (now - started)
            share = progress.step / stage.steps
            stopping.check(stage.stop, task.pace, progress.curve[-1], speed, share)
        due = now - saved >= 60 * stage.checkpoint_minutes
        if task.saved is not None and parallel.agreed(due):
            checkpoint.save(task.saved, task.mark, progress, stepper.objective, stepper.optimizer)
            saved = now


def _count(progress: Progress, loss: float) -> None:
    progress.step += 1
    progress.recent.append(loss)
    if not math.isfinite(loss):
        raise TrainingError(f"the training loss became {loss} at step {progress.step}")


def _point(progress: Progress, task: Task) -> MetricPoint:
    point = MetricPoint(
        step=progress.step,
        tokens=progress.step * task.step_tokens,
        loss=sum(progress.recent) / len(progress.recent),
    )
    progress.recent.clear()
    progress.curve.append(point)
    return point


def _summary(
    name: str, task: Task, size: ModelSize, stepper: Stepper, progress: Progress, reported: float
) -> Training:
    tokens = task.stage.steps * task.step_tokens
    return Training(
        stage=name,
        seed=task.seed,
        parameters=size.total,
        non_embedding=size.non_embedding,
        mlp_width=size.width,
        flops_per_token=size.flops_per_token,
        tokens=tokens,
        learning_rate=progress.learning_rate,
        sweep=progress.sweep,
        micro_batch=stepper.micro_batch,
        compiled=stepper.compiled,
        device=device_name(),
        reported=reported,
        seconds=progress.seconds,
        tokens_per_second=tokens / progress.seconds,
        memory_bytes=peak_memory(),
        shares=stepper.clock.shares(),
        curve=tuple(progress.curve),
    )


def fit(
    model: nn.Module, losses: Iterable[Tensor], steps: int, learning_rate: float
) -> Iterator[float]:
    """Take one optimiser step on each of `losses` and yield its value, with a cosine schedule.

    Raises:
        TrainingError: a loss is not finite.
    """
    optimizer = adamw(model, learning_rate, weight_decay=0.0)
    for step, loss in enumerate(losses):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * cosine(step, steps, warmup=0.1)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if not loss.isfinite():
            raise TrainingError(f"the training loss became {loss.item()} at step {step + 1}")
        yield loss.item()


def device_name() -> str:
    """Return the name of the GPU, or that it is a CPU."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def peak_memory() -> int:
    """Bytes: the GPU's allocator peak, or this process's resident peak."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
