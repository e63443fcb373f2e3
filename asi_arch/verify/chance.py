"""The random generators of Python, NumPy and torch that a layer may draw from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Seed the random states of Python, NumPy and torch.

    `torch.manual_seed` would format the stack for each kind of device that is not there: 1 ms.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Leave the random states of Python, NumPy and torch as they were found."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def drawn(seed: int) -> list[str]:
    """Names of the generators that are not as seeding has left them; they are seeded again."""
    now = _next_numbers()
    seed_all(seed)
    return [name for name, number in _next_numbers().items() if number != now[name]]


def _next_numbers() -> dict[str, float]:
    return {
        "torch": torch.rand((), dtype=torch.float64).item(),
        "numpy": np.random.random(),
        "random": random.random(),
    }
