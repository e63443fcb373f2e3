"""Are two layers the same function, by the numbers that each gave on fixed inputs?"""

import math

from asi_arch.records import Finding

TOLERANCE = 1e-4


def signature_of(sameness: Finding) -> str:
    """Return the signature that a sameness finding has measured."""
    return str(sameness.measured.get("signature", ""))


def agree(one: str, other: str) -> bool:
    """Whether two signatures (numbers with spaces between) are the same but for rounding.

    A text that is no signature, such as a forged one, agrees with nothing.
    """
    a, b = _numbers(one), _numbers(other)
    if not a or len(a) != len(b):
        return False
    scale = math.sqrt(sum(number * number for number in a) / len(a))
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= TOLERANCE * scale


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) else []
