"""Candidates for the next experiment, made from a parent and its references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asi_arch.team.rules.space import SPACE, Design, draw

_CHANGES = (1, 2, 3)
_CHANGES_ODDS = (0.5, 0.3, 0.2)
_MUTATION_SHARE = 0.65
_RECOMBINATION_SHARE = 0.25


@dataclass(frozen=True)
class Move:
    """A design and how it was made; a fresh one keeps nothing of the parent on purpose."""

    kind: Literal["mutation", "recombination", "fresh"]
    design: Design


def moves(parent: Design, references: Sequence[Design], rng: np.random.Generator) -> Iterator[Move]:
    """Yield candidates without end: mutations, recombinations, now and then a fresh draw."""
    while True:
        share = rng.random()
        if share < _MUTATION_SHARE:
            yield Move("mutation", mutate(parent, rng))
        elif references and share < _MUTATION_SHARE + _RECOMBINATION_SHARE:
            yield Move("recombination", recombine(parent, references, rng))
        else:
            yield Move("fresh", draw(rng))


def mutate(parent: Design, rng: np.random.Generator) -> Design:
    """Change one to three decisions of the parent to other values."""
    count = rng.choice(_CHANGES, p=_CHANGES_ODDS)
    changes = {}
    for name in rng.choice(list(SPACE), size=count, replace=False):
        others = [option for option in SPACE[name].options if option != parent[name]]
        changes[str(name)] = str(rng.choice(others))
    return parent.replace(**changes)


def recombine(parent: Design, references: Sequence[Design], rng: np.random.Generator) -> Design:
    """Take each decision in which a reference differs from that reference with even odds."""
    other = references[int(rng.integers(len(references)))]
    taken = {name: other[name] for name in parent.changes(other) if rng.random() < 0.5}
    return parent.replace(**taken)
