"""Candidates for the next experiment, made from a parent and its references."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asi_arch.team.rules.space import SPACE, Design

Kind = Literal["mutation", "recombination", "fresh"]

_STEPS = 3
_RECOMBINATIONS = 4
_CHANGES = (1, 2)


@dataclass(frozen=True)
class Move:
    """A design and how it was made; a fresh one keeps nothing of the parent on purpose."""

    kind: Kind
    design: Design


def moves(
    parent: Design,
    references: Sequence[Design],
    worth: Callable[[Design], float],
    rng: np.random.Generator,
) -> Iterator[Move]:
    """Yield candidates without end: first what is worth most within reach, then its neighbours.

    In reach are a few improving changes of the parent, and of mixtures of the parent with a
    reference.
    """
    others = [reference for reference in references if reference != parent]
    starts = [Move("mutation", parent)]
    if others:
        mixtures = (recombine(parent, others, rng) for _ in range(_RECOMBINATIONS))
        starts += [Move("recombination", mixture) for mixture in mixtures]
    tops = [Move(start.kind, climb(start.design, worth)) for start in starts]
    yield from tops
    best = max(tops, key=lambda move: worth(move.design))
    while True:
        yield Move(best.kind, mutate(best.design, rng))


def climb(design: Design, worth: Callable[[Design], float]) -> Design:
    """Make the single change that is worth most, up to three times, while there is a gain."""
    for _ in range(_STEPS):
        neighbours = [
            design.replace(**{name: option})
            for name, decision in SPACE.items()
            for option in decision.options
            if option != design[name]
        ]
        best = max(neighbours, key=worth)
        if worth(best) <= worth(design):
            return design
        design = best
    return design


def mutate(parent: Design, rng: np.random.Generator) -> Design:
    """Change one or two decisions of the parent to other values."""
    changes = {}
    for name in rng.choice(list(SPACE), size=int(rng.choice(_CHANGES)), replace=False):
        others = [option for option in SPACE[name].options if option != parent[name]]
        changes[str(name)] = str(rng.choice(others))
    return parent.replace(**changes)


def recombine(parent: Design, references: Sequence[Design], rng: np.random.Generator) -> Design:
    """Take each decision in which a reference differs from that reference with even odds."""
    other = references[int(rng.integers(len(references)))]
    taken = {name: other[name] for name in parent.changes(other) if rng.random() < 0.5}
    return parent.replace(**taken)
