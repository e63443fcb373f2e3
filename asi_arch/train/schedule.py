"""The learning rate over the steps of a training, as a factor of its peak."""

import math

from asi_arch.config import Stage


def rate_factor(stage: Stage, step: int, steps: int) -> float:
    """Return the factor of the stage's schedule for a step, counted from 0."""
    if stage.schedule == "wsd":
        return wsd(step, steps, stage.warmup, stage.decay)
    return cosine(step, steps, stage.warmup)


def cosine(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then cosine down to a tenth."""
    warm = max(1, round(warmup * steps))
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * progress))


def wsd(step: int, steps: int, warmup: float, decay: float) -> float:
    """Warm-up, stable, decay (arXiv 2404.06395): linear up, constant, linear down to zero."""
    warm, falling = max(1, round(warmup * steps)), max(1, round(decay * steps))
    return min(1.0, (step + 1) / warm, (steps - step) / falling)
