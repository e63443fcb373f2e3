"""Whether two judges agree: rank correlation, Cohen's kappa, and how sure one is of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Statistic = Callable[[Numbers], float | None]

_FEWEST = 5
_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval; None is what cannot be told from so little."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def sign(self) -> int | None:
        """1 or -1 when the whole interval is on that side of zero, 0 when not, None if unknown."""
        if self.low is None or self.high is None:
            return None
        return int(self.low > 0) - int(self.high < 0)


def estimate(statistic: Statistic, values: npt.ArrayLike, seed: int = 0) -> Estimate:
    """Return a statistic of some units, the first dimension, with its bootstrap interval.

    Units are drawn again with replacement, always in the same way. There is no interval from
    fewer than five of them, or when the statistic is undefined for most of the draws.
    """
    units = np.asarray(values, dtype=np.float64)
    value = statistic(units) if len(units) else None
    if value is None or len(units) < _FEWEST:
        return Estimate(value)
    random = np.random.default_rng(seed)
    draws = (random.integers(len(units), size=len(units)) for _ in range(_RESAMPLES))
    found = [got for got in (statistic(units[draw]) for draw in draws) if got is not None]
    if len(found) < _RESAMPLES / 2:
        return Estimate(value)
    low, high = np.quantile(found, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def spearman(pairs: Numbers) -> float | None:
    """Return the rank correlation of the two columns; None when one does not vary."""
    first, second = (_ranks(column) for column in pairs.T)
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else None


def _ranks(values: Numbers) -> Numbers:
    """Return ranks from 1; equal values share the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: Numbers = np.cumsum(counts) - (counts - 1) / 2
    return means[places]


def kappa(tables: Numbers) -> float | None:
    """Return Cohen's kappa of the sum of square tables of counts; None when chance explains all.

    A table's rows are what one judge said, its columns what the other did.
    """
    table = tables.sum(axis=0)
    total = table.sum()
    if not total:
        return None
    observed = np.trace(table) / total
    expected = float(table.sum(axis=0) @ table.sum(axis=1) / total**2)
    return float((observed - expected) / (1 - expected)) if expected < 1 else None
