"""Candidates for the next experiment, made from a parent and its references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asi_arch.team.rules.space import SPACE, Design

Kind = Literal["mutation", "recombination", "fresh"]

_CHANGES = 6


@dataclass(frozen=True)
class Move:
    """A design and how it was made; a fresh one keeps nothing of the parent on purpose."""

    kind: Kind
    design: Design


def moves(parent: Design, references: Sequence[Design], rng: np.random.Generator) -> Iterator[Move]:
    """Yield without end, in turn, variations of the parent and of its mixtures with a reference.

    They are wide, up to six changes: which of them is worth an experiment is for the outcomes to
    say, and the best of many wide ones is further from all that is known than the best neighbour.
    """
    others = [reference for reference in references if reference != parent]
    while True:
        yield Move("mutation", mutate(parent, rng, int(rng.integers(1, _CHANGES + 1))))
        if others:
            mixture = recombine(parent, others, rng)
            changes = int(rng.integers(_CHANGES + 1))
            yield Move("recombination", mutate(mixture, rng, changes))


def mutate(parent: Design, rng: np.random.Generator, changes: int) -> Design:
    """Change so many decisions of the parent to other values."""
    changed = {}
    for name in rng.choice(list(SPACE), size=changes, replace=False):
        others = [option for option in SPACE[name].options if option != parent[name]]
        changed[str(name)] = str(rng.choice(others))
    return parent.replace(**changed)


def recombine(parent: Design, references: Sequence[Design], rng: np.random.Generator) -> Design:
    """Take each decision in which a reference differs from that reference with even odds."""
    other = references[int(rng.integers(len(references)))]
    taken = {name: other[name] for name in parent.changes(other) if rng.random() < 0.5}
    return parent.replace(**taken)
