"""Ways to replace what comes at and after a position."""

from collections.abc import Callable

import torch
from torch import Tensor

LARGE = 20.0
"""Factor of the large replacement: beyond any real input, and small enough that decays raised to
it over a chunk stay finite in float32."""

BORDERS = (1, 16, 32, 33, 63, 64, 65, 128, 200)


def cuts(length: int) -> list[int]:
    """First replaced positions: after the first token, in and around chunks, at the end."""
    return sorted({t for t in (*BORDERS, length // 2, length - 1) if 0 < t < length})


def replace_from(way: str, inputs: Tensor, start: int, noise: Tensor) -> Tensor:
    """Return `inputs` [length, width] with the part from `start` on replaced; noise is alike."""
    return torch.cat([inputs[:start], WAYS[way](inputs[:start], inputs[start:], noise[start:])])


def _spike(past: Tensor, future: Tensor, noise: Tensor) -> Tensor:
    return torch.cat([noise[:1] * LARGE, future[1:]])


def _again(past: Tensor, future: Tensor, noise: Tensor) -> Tensor:
    return past[torch.arange(len(future)) % len(past)]


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "random values": lambda past, future, noise: noise,
    "large values": lambda past, future, noise: noise * LARGE,
    "zeros": lambda past, future, noise: torch.zeros_like(future),
    "one spike": _spike,
    "the same values permuted": lambda past, future, noise: future.flip(0) + 0.0,
    "the tokens before it": _again,
}
"""The random one is tried at every cut, the others take turns."""

SIZES = {"large values": LARGE, "one spike": LARGE}
"""How much larger than the inputs the replacement is, where it is."""
