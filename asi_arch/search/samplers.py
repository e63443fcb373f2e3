"""Which experiment to start from, and which others to show beside it."""

import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from asi_arch.config import Search
from asi_arch.interfaces import Sampler
from asi_arch.records import Outcome

Draw = tuple[int, tuple[int, ...]]


def make_sampler(settings: Search) -> Sampler:
    """Return the sampler that the settings name."""
    return _SAMPLERS[settings.sampler](settings)


@dataclass(frozen=True)
class PaperSampler:
    """A parent from the first ranks, references from the next ones (arXiv 2507.18074, 3.1).

    The pool is renewed every so many experiments; until then nobody sees what came later.
    """

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids."""
        every = self.settings.renew_every
        renewed = (number - 1) // every * every
        known = [o for o in outcomes if o.kind == "baseline" or o.number <= renewed]
        ranked = [outcome.experiment_id for outcome in _ranked(known)][: self.settings.pool]
        rng = _generator(number, seed, attempt)
        parent = rng.choice(ranked[: self.settings.parents])
        rest = ranked[self.settings.parents :] or ranked
        return parent, _draw(rng, rest, parent, self.settings.references)


@dataclass(frozen=True)
class GreedySampler:
    """The best so far, and the next best beside it."""

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids; a further attempt takes the next best."""
        ranked = [outcome.experiment_id for outcome in _ranked(outcomes)]
        parent = ranked[attempt % len(ranked)]
        others = [id for id in ranked if id != parent]
        return parent, tuple(others[: self.settings.references])


@dataclass(frozen=True)
class RandomSampler:
    """Anything that was measured, with equal chances: the control."""

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids."""
        ids = [outcome.experiment_id for outcome in _ranked(outcomes)]
        rng = _generator(number, seed, attempt)
        parent = rng.choice(ids)
        return parent, _draw(rng, ids, parent, self.settings.references)


@dataclass(frozen=True)
class WeightedSampler:
    """The better and the less often used, the likelier (as ShinkaEvolve, arXiv 2509.19349).

    The weight of a parent is the sigmoid of its standardised fitness over one plus its children.
    """

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids, which are drawn by the same weights."""
        weights = _weights(outcomes)
        rng = _generator(number, seed, attempt)
        chosen: list[int] = []
        while weights and len(chosen) <= self.settings.references:
            (drawn,) = rng.choices(list(weights), list(weights.values()))
            chosen.append(drawn)
            del weights[drawn]
        return chosen[0], tuple(chosen[1:])


def _weights(outcomes: Sequence[Outcome]) -> dict[int, float]:
    """Return the chance of each experiment to be a parent, not normalised."""
    ranked = _ranked(outcomes)
    children = Counter(outcome.parent_id for outcome in outcomes)
    scores = _standardised({o.experiment_id: o.fitness or 0.0 for o in ranked})
    return {id: 1 / (1 + math.exp(-score)) / (1 + children[id]) for id, score in scores.items()}


def _standardised(fitness: Mapping[int, float]) -> dict[int, float]:
    """Return how many typical distances each lies from the median."""
    middle = statistics.median(fitness.values())
    typical = statistics.median(abs(value - middle) for value in fitness.values()) or 1.0
    return {id: max(-30.0, (value - middle) / typical) for id, value in fitness.items()}


def _ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Order what has a fitness from best to worst; where nothing has, all is equal."""
    measured = [outcome for outcome in outcomes if outcome.fitness is not None]
    if not measured:
        return list(outcomes)
    return sorted(measured, key=lambda outcome: (-(outcome.fitness or 0), outcome.experiment_id))


def _generator(number: int, seed: int, attempt: int) -> random.Random:
    """Return a generator that depends on nothing else."""
    key = f"{seed}/{number}"
    return random.Random(f"{key}/{attempt}" if attempt else key)


def _draw(rng: random.Random, ids: list[int], parent: int, count: int) -> tuple[int, ...]:
    others = [other for other in ids if other != parent]
    return tuple(rng.sample(others, min(count, len(others))))


_SAMPLERS: dict[str, Callable[[Search], Sampler]] = {
    "paper": PaperSampler,
    "greedy": GreedySampler,
    "random": RandomSampler,
    "weighted": WeightedSampler,
}
