"""How much two outputs differ, and what difference counts."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

TOLERANCE = 2e-5
"""Largest change, relative to the output's scale, that rounding may cause.

Measured in float32: published honest designs move by at most 6e-7, long convolutions by FFT by
2.4e-6; the weakest real leak moves by 1e-4. This lies between, nearer to the leak on a log scale
because a false alarm costs a good idea and the other checks look at the same leak again.
"""

HALF_TOLERANCE = 0.03
"""The same where bfloat16 is in play: honest long convolutions by FFT move by 5e-3 there."""

LARGEST = 1e6


def relative_change(before: Tensor, after: Tensor, whole: Tensor | None = None) -> float:
    """Return max |after - before| over the root mean square of `before`.

    `whole` is the full output that `before` is a part of: the scale is at least a hundredth of
    its own, so that a part that is zero but for rounding does not count. Infinite when one side
    is not finite and the other is.
    """
    if torch.equal(before, after):
        return 0.0
    change = float((after - before).abs().max())
    if not math.isfinite(change):
        same = (before == after) | (before.isnan() & after.isnan())
        moved = torch.where(same, 0.0, (after - before).abs())
        change = float(moved.nan_to_num(nan=float("inf")).max())
    scale = max(_scale(before), 0.01 * _scale(before if whole is None else whole), 1e-12)
    return change / scale


def rounded(value: float) -> float:
    """Return the value with two significant digits, so that findings repeat.

    At most a million, also for what is not finite: JSON has no infinity.
    """
    return float(f"{value:.2g}") if value < LARGEST else LARGEST


def _scale(values: Tensor) -> float:
    norm = float(torch.linalg.vector_norm(values, dtype=torch.float64))
    if not math.isfinite(norm):
        values = values[values.isfinite()]
        norm = float(torch.linalg.vector_norm(values, dtype=torch.float64))
    return norm / math.sqrt(max(values.numel(), 1))


Problem = tuple[str, str]
"""What speaks against a program, and what to do about it."""


def told(problems: Sequence[Problem]) -> dict[str, str]:
    """Return evidence and hint of all problems; a hint that is the same twice is said once."""
    evidence = "; ".join(evidence for evidence, _ in problems)
    return {"evidence": evidence, "hint": " ".join(dict.fromkeys(hint for _, hint in problems))}
