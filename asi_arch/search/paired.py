"""Whether one program is better than another: paired over held-out windows and seeds.

Every run of a stage is scored on the same held-out windows, so the loss of the reference minus that
of the program is known for each seed s and each window w. Both are samples, of trainings and of
texts, and they cross (two-way random effects, one observation a cell):

    d[s, w] = gain + a[s] + b[w] + e[s, w]

The variance of the mean is var(a)/S + var(b)/W + var(e)/SW. The variance of the seeds' means over S
is an estimate of its first and last part, that of the windows' means over W of its second and last:
their sum is on the safe side (it counts the last part twice), and the two are independent (Searle,
Casella & McCulloch, Variance Components, 1992, chapter 4). The half width of the interval is

    sqrt(t(S - 1)^2 * seed part + t(W - 1)^2 * window part),

which covers at least as often as it says for every ratio of the parts (Banerjee, Sankhya 22, 1960).
Windows of one document resemble each other; where documents are known they are sampled in place of
windows, their sums being what varies (the usual cluster-robust variance of a mean).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from asi_arch.search.student import quantile

Windows = Mapping[int, Sequence[float]]
"""{seed: losses of the held-out windows, nats per token}, the same windows for every seed."""

SMALLEST_P = 1e-6
_BISECTIONS = 40


class Part(NamedTuple):
    """A share of the variance of a mean, and the degrees of freedom it was estimated with."""

    variance: float
    freedom: int


@dataclass(frozen=True)
class Comparison:
    """How much lower the loss of a program is than that of a reference (positive: better).

    `sampled` says what the interval is drawn over; without any part there is no interval.
    """

    difference: float
    seeds: int
    windows: int
    sampled: str
    parts: tuple[Part, ...]

    def half_width(self, confidence: float = 0.95) -> float | None:
        """Return half of the interval of this confidence, nats per token."""
        if not self.parts:
            return None
        return math.sqrt(
            sum(quantile(confidence, part.freedom) ** 2 * part.variance for part in self.parts)
        )

    @property
    def low(self) -> float | None:
        """Lower end of the 95 % interval."""
        half = self.half_width()
        return None if half is None else self.difference - half

    @property
    def high(self) -> float | None:
        """Upper end of the 95 % interval."""
        half = self.half_width()
        return None if half is None else self.difference + half

    @cached_property
    def p(self) -> float | None:
        """Two-sided p-value, what the widest interval without zero leaves out; at least 1e-6."""
        if not self.parts:
            return None
        if self._excludes_zero(SMALLEST_P):
            return SMALLEST_P
        low, high = math.log(SMALLEST_P), 0.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            beyond = self._excludes_zero(math.exp(middle))
            low, high = (low, middle) if beyond else (middle, high)
        return math.exp(high)

    def _excludes_zero(self, p: float) -> bool:
        half = self.half_width(1 - p)
        return half is not None and abs(self.difference) > half

    @property
    def verdict(self) -> str:
        """What the 95 % interval says: better, worse or within noise."""
        return verdict(self.difference, self._excludes_zero(0.05))


def verdict(difference: float, significant: bool) -> str:
    """Return what a difference means."""
    if not significant:
        return "within noise"
    return "better" if difference > 0 else "worse"


def compare(
    own: Windows,
    reference: Windows,
    documents: Sequence[int] | None = None,
    spread: Part | None = None,
) -> Comparison | None:
    """Compare the runs of a program with those of a reference; None without a common seed.

    `documents` says of each window which document it is of. `spread` is how a paired difference
    varies between the seeds of others; where it is given it stands in for the own seeds.
    """
    seeds = sorted(set(own) & set(reference))
    if not seeds:
        return None
    table = _differences([(own[seed], reference[seed]) for seed in seeds])
    by_seed = [_mean(row) for row in table]
    by_window = [_mean(column) for column in zip(*table, strict=True)]
    known = _seed_part(by_seed, spread) | _window_part(by_window, documents)
    sampled = " and ".join(known) or "nothing"
    if len(seeds) == 1 and spread is None:
        sampled += "; seeds were not sampled"
    parts = tuple(known.values())
    return Comparison(_mean(by_seed), len(seeds), len(by_window), sampled, parts)


def _differences(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[list[float]]:
    """Return reference minus own, a row for each seed; one column where windows do not match."""
    lengths = {len(one) for pair in pairs for one in pair}
    if len(lengths) > 1 or lengths == {1}:
        return [[_mean(reference) - _mean(own)] for own, reference in pairs]
    return [[b - a for a, b in zip(own, reference, strict=True)] for own, reference in pairs]


def _seed_part(means: Sequence[float], spread: Part | None) -> dict[str, Part]:
    """Return what the choice of seeds adds to the variance of their mean, under its name."""
    count = len(means)
    if spread is not None:
        part = Part(spread.variance / count, spread.freedom)
        return {"seeds (as far as those of others differ)": part}
    return {"seeds": Part(_variance(means) / count, count - 1)} if count > 1 else {}


def _window_part(means: Sequence[float], documents: Sequence[int] | None) -> dict[str, Part]:
    """Return what the choice of texts adds to the variance of their mean, under its name."""
    if len(means) < 2:
        return {}
    if documents is None:
        return {"windows": Part(_variance(means) / len(means), len(means) - 1)}
    if len(documents) != len(means):
        raise ValueError(f"{len(documents)} document numbers for {len(means)} windows")
    middle, sums = _mean(means), dict[int, float]()
    for document, mean in zip(documents, means, strict=True):
        sums[document] = sums.get(document, 0.0) + mean - middle
    count = len(sums)
    if count < 2:
        raise ValueError("all held-out windows are of one document; hold out more documents")
    squares = math.fsum(value * value for value in sums.values())
    return {"documents": Part(squares * count / (count - 1) / len(means) ** 2, count - 1)}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    middle = _mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many there are (Holm, Scand. J. Statist. 6, 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(order), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
