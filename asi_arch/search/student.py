"""Student's t distribution for whole degrees of freedom."""

import math
from functools import lru_cache
from statistics import NormalDist

_SERIES_UP_TO = 40
_BISECTIONS = 80


def inside(t: float, freedom: int) -> float:
    """Return the probability that |T| < t: the finite series of Abramowitz & Stegun 26.7.3-4."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


@lru_cache(maxsize=4096)
def quantile(confidence: float, freedom: int) -> float:
    """Return the t that |T| stays below with this probability.

    Beyond 40 degrees of freedom by the expansion around the normal one (26.7.5).
    """
    if freedom > _SERIES_UP_TO:
        return _expanded(NormalDist().inv_cdf((1 + confidence) / 2), freedom)
    low, high = 0.0, 1.0
    while inside(high, freedom) < confidence:
        low, high = high, 2 * high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle, freedom) < confidence else (low, middle)
    return high


def _expanded(z: float, freedom: int) -> float:
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
