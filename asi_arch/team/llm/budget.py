"""Fit what the Researcher is shown into a number of tokens: the least valuable goes first.

Whole items go, never parts of one; the parent and its program always stay. An item's value is that
of its kind, less a step for each place it stands behind the first of its kind.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asi_arch.records import Context, Experiment, Record
from asi_arch.team.llm.show import describe, source

CHARACTERS = 3  # a token has at least so many in English and in Python
_VALUES = {
    "twins": (100, 1),
    "lessons": (60, 2),
    "knowledge": (55, 8),
    "siblings": (50, 6),
    "references": (45, 6),
}


@dataclass(frozen=True)
class _Item:
    kind: str
    place: int
    tokens: int

    @property
    def value(self) -> int:
        first, step = _VALUES[self.kind]
        return first - step * self.place


def fit(context: Context, tokens: int) -> Context:
    """Return the context without its least valuable items, so that it has at most `tokens`."""
    left = tokens - _tokens(describe(context.parent) + source(context.parent))
    kept: set[tuple[str, int]] = set()
    for item in sorted(_items(context), key=lambda item: -item.value):
        if item.tokens <= left:
            left -= item.tokens
            kept.add((item.kind, item.place))
    return context.model_copy(
        update={
            kind: tuple(one for place, one in enumerate(shown) if (kind, place) in kept)
            for kind, shown in _shown(context).items()
        }
    )


def _items(context: Context) -> Iterator[_Item]:
    for kind, shown in _shown(context).items():
        for place, one in enumerate(shown):
            yield _Item(kind, place, _tokens(_text(one)))


def _shown(context: Context) -> dict[str, Sequence[Record]]:
    return {kind: getattr(context, kind) for kind in _VALUES}


def _text(one: Record) -> str:
    """Return about what a prompt says of an experiment, an entry or a lesson."""
    if isinstance(one, Experiment):
        return describe(one)
    return " ".join(str(value) for value in one.model_dump().values())


def _tokens(text: str) -> int:
    return len(text) // CHARACTERS + 1
