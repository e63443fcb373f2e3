"""Which experiment to start from, and which others to show beside it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asi_arch.config import Search
from asi_arch.interfaces import Sampler
from asi_arch.records import Outcome


def make_sampler(settings: Search) -> Sampler:
    """Return the sampler that the settings name."""
    return _SAMPLERS[settings.sampler](settings)


@dataclass(frozen=True)
class TopSampler:
    """A parent from the first ranks, references from the next ones (arXiv 2507.18074, 3.1)."""

    settings: Search

    def sample(
        self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0
    ) -> tuple[int, tuple[int, ...]]:
        """Return the parent's id and the references' ids."""
        ranked = [outcome.experiment_id for outcome in _ranked(outcomes)][: self.settings.pool]
        rng = random.Random(f"{seed}/{number}")
        parent = rng.choice(ranked[: self.settings.parents])
        rest = ranked[self.settings.parents :] or ranked
        return parent, _draw(rng, rest, parent, self.settings.references)


@dataclass(frozen=True)
class RandomSampler:
    """Anything that was measured, with equal chances: the control."""

    settings: Search

    def sample(
        self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0
    ) -> tuple[int, tuple[int, ...]]:
        """Return the parent's id and the references' ids."""
        ids = [outcome.experiment_id for outcome in _ranked(outcomes)]
        rng = random.Random(f"{seed}/{number}")
        parent = rng.choice(ids)
        return parent, _draw(rng, ids, parent, self.settings.references)


def _ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Order what has a fitness from best to worst; where nothing has, all is equal."""
    measured = [outcome for outcome in outcomes if outcome.fitness is not None]
    if not measured:
        return list(outcomes)
    return sorted(measured, key=lambda outcome: (-(outcome.fitness or 0), outcome.experiment_id))


def _draw(rng: random.Random, ids: list[int], parent: int, count: int) -> tuple[int, ...]:
    others = [other for other in ids if other != parent]
    return tuple(rng.sample(others, min(count, len(others))))


_SAMPLERS: dict[str, Callable[[Search], Sampler]] = {"top": TopSampler, "random": RandomSampler}
