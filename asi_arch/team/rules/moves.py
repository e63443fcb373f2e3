"""Candidates for the next experiment, made from a parent and its references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asi_arch.team.rules.space import SPACE, Design, draw

Kind = Literal["mutation", "recombination", "fresh"]

_CHANGES = (1, 2, 3)
_CHANGES_ODDS = (0.5, 0.3, 0.2)
_FRESH_ODDS = 0.3
_FRESH_SHARE = 0.15
_RECOMBINATION_SHARE = 0.3


@dataclass(frozen=True)
class Move:
    """A design and how it was made; a fresh one keeps nothing of the parent on purpose."""

    kind: Kind
    design: Design


def moves(parent: Design, references: Sequence[Design], rng: np.random.Generator) -> Iterator[Move]:
    """Yield candidates without end: mutations, recombinations, and now and then fresh draws.

    Fresh draws join only some of the times: while little is known they would often win, by
    nothing but their uncertainty, and leave the published layers behind too soon.
    """
    others = [reference for reference in references if reference != parent]
    fresh_share = _FRESH_SHARE if rng.random() < _FRESH_ODDS else 0.0
    while True:
        share = rng.random()
        if share < fresh_share:
            yield Move("fresh", draw(rng))
        elif others and share < fresh_share + _RECOMBINATION_SHARE:
            yield Move("recombination", recombine(parent, others, rng))
        else:
            yield Move("mutation", mutate(parent, rng))


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
