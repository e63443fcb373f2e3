"""Curves as one line of text."""

from collections.abc import Sequence

from asi_arch.records import MetricPoint

_BARS = "▁▂▃▄▅▆▇█"


def sparklines(curves: Sequence[Sequence[MetricPoint]]) -> list[str]:
    """Return one line per curve, all drawn on the same scale of losses."""
    losses = [[point.loss for point in curve] for curve in curves]
    finite = [loss for line in losses for loss in line if abs(loss) < float("inf")]
    if not finite:
        return ["" for _ in curves]
    low, high = min(finite), max(finite)
    return ["".join(_bar(loss, low, high) for loss in line) for line in losses]


def _bar(loss: float, low: float, high: float) -> str:
    if not abs(loss) < float("inf"):
        return "?"
    height = 0.0 if high == low else (loss - low) / (high - low)
    return _BARS[min(len(_BARS) - 1, int(height * len(_BARS)))]
