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

    The pool is renewed every so many finished experiments, and holds the baselines and what had
    finished by then.
    """

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids."""
        parents, pool = self.settings.parents, self.settings.pool
        ranked = _ids(_ranked(_renewed(outcomes, self.settings.renew_every)))[:pool]
        rest = ranked[parents:] or ranked
        rng = random.Random(f"{seed}/{number}")
        return _draw(rng, ranked[:parents], rest, self.settings.references, attempt)


@dataclass(frozen=True)
class GreedySampler:
    """The best so far, and the next best beside it."""

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids; a further attempt takes the next best."""
        return _take(_ids(_ranked(outcomes)), self.settings.references, attempt)


@dataclass(frozen=True)
class RandomSampler:
    """Anything that was measured, with equal chances: the control."""

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids."""
        ids = _ids(_ranked(outcomes))
        rng = random.Random(f"{seed}/{number}")
        return _draw(rng, ids, ids, self.settings.references, attempt)


@dataclass(frozen=True)
class WeightedSampler:
    """The better and the less often used, the likelier (as ShinkaEvolve, arXiv 2509.19349).

    The weight of a parent is the sigmoid of its standardised fitness over one plus its children.
    """

    settings: Search

    def sample(self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0) -> Draw:
        """Return the parent's id and the references' ids, which are drawn by the same weights."""
        weights, references = _weights(outcomes), self.settings.references
        rng = random.Random(f"{seed}/{number}")
        drawn: list[int] = []
        while weights and len(drawn) <= attempt + references:
            drawn += rng.choices(list(weights), list(weights.values()))
            del weights[drawn[-1]]
        return _take(drawn, references, attempt)


def _renewed(outcomes: Sequence[Outcome], every: int) -> list[Outcome]:
    """Leave out the candidates that were not there when the pool was renewed."""
    newest = max((o.number for o in outcomes if o.kind == "candidate"), default=0)
    renewed = newest // every * every
    return [o for o in outcomes if o.kind == "baseline" or o.number <= renewed]


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


def _ids(outcomes: Sequence[Outcome]) -> list[int]:
    return [outcome.experiment_id for outcome in outcomes]


def _draw(
    rng: random.Random, parents: Sequence[int], others: Sequence[int], count: int, attempt: int
) -> Draw:
    """Draw with equal chances, once for each attempt; no parent comes twice before all came."""
    left: list[int] = []
    for _ in range(attempt + 1):
        left = left or list(parents)
        parent = left.pop(left.index(rng.choice(left)))
        rest = [other for other in others if other != parent]
        references = tuple(rng.sample(rest, min(count, len(rest))))
    return parent, references


def _take(ids: Sequence[int], count: int, attempt: int) -> Draw:
    """Return the first id and the next ones; each attempt takes a later one for the first."""
    parent = ids[attempt % len(ids)]
    return parent, tuple([id for id in ids if id != parent][:count])


_SAMPLERS: dict[str, Callable[[Search], Sampler]] = {
    "paper": PaperSampler,
    "greedy": GreedySampler,
    "random": RandomSampler,
    "weighted": WeightedSampler,
}
