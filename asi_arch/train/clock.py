"""Where the time of a training step goes."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_EVERY = 20


class Clock:
    """Seconds by part of a step, taken in one step of twenty: to know them, a GPU is waited for.

    Parts may lie inside others: `loss` lies in `forward`.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._runs = False

    def start_step(self, step: int) -> None:
        """Say which step begins, counted from 1; the first ones warm up."""
        self._runs = step % _EVERY == 0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time until the end of the block as that of `name`."""
        if not self._runs:
            yield
            return
        started = _now()
        yield
        self.seconds[name] += _now() - started

    def shares(self) -> dict[str, float]:
        """Return the share of each part in a whole step; empty when no step was timed."""
        whole = sum(seconds for name, seconds in self.seconds.items() if name != "loss")
        return {name: seconds / whole for name, seconds in self.seconds.items()} if whole else {}


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
