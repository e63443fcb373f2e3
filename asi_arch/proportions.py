"""Shares of small counts: how sure one is, and whether two of them differ."""

import math
from dataclasses import dataclass

_Z975 = 1.959964


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """The share, 0 of nothing."""
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval; of nothing everything from 0 to 1 is possible."""
        if not self.total:
            return 0.0, 1.0
        weight = _Z975**2 / self.total
        middle = (self.value + weight / 2) / (1 + weight)
        spread = math.sqrt(self.value * (1 - self.value) * weight + weight**2 / 4)
        half = spread / (1 + weight)
        return max(0.0, middle - half), min(1.0, middle + half)


def fisher(one: Share, other: Share) -> float:
    """Return the two-sided p-value of Fisher's exact test that both shares are the same."""
    hits, total = one.count + other.count, one.total + other.total
    misses, drawn = total - hits, one.total
    counts = range(max(0, drawn - misses), min(drawn, hits) + 1)
    whole = _log_choose(total, drawn)
    chances = [
        math.exp(_log_choose(hits, count) + _log_choose(misses, drawn - count) - whole)
        for count in counts
    ]
    limit = chances[counts.index(one.count)] * (1 + 1e-7)
    return min(1.0, math.fsum(chance for chance in chances if chance <= limit))


def _log_choose(total: int, chosen: int) -> float:
    """Return the logarithm of the number of ways to choose so many of so many."""
    ways = (math.lgamma(n + 1) for n in (total, chosen, total - chosen))
    return next(ways) - sum(ways)
