"""The gate between two stages: who passes, and which losers are let through all the same.

A few that did not pass are promoted too, drawn by chance. Without them nobody could tell whether
the smaller stage sorts programs as the larger one does: among those it likes best, all are good.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from asi_arch.config import Stage
from asi_arch.records import Experiment

Why = Literal["winner", "loser", "named"]


class Entrant(NamedTuple):
    """An experiment that comes to a stage, and why."""

    experiment: Experiment
    why: Why


def entrants(candidates: Iterable[Experiment], stage: Stage, seed: int) -> list[Entrant]:
    """Return the candidates that come to a stage: the best ones, then the losers drawn.

    The draw depends on the campaign's seed and the experiments' numbers alone, and a wider gate
    lets through all that a narrower one does.
    """
    measured = [candidate for candidate in candidates if candidate.fitness is not None]
    winners = _winners(measured, stage)
    passed = {winner.id for winner in winners}
    others = [candidate for candidate in measured if candidate.id not in passed]
    drawn = sorted(others, key=lambda other: _lot(seed, other))[: losers_of(stage)]
    return [*(Entrant(e, "winner") for e in winners), *(Entrant(e, "loser") for e in drawn)]


def losers_of(stage: Stage) -> int:
    """Return how many losers a gate lets through: the share of `top`, a half rounded up."""
    return math.floor(stage.losers * stage.top + 0.5)


def _winners(measured: Sequence[Experiment], stage: Stage) -> list[Experiment]:
    """Return those that pass, best first."""
    least = -math.inf if stage.min_fitness is None else stage.min_fitness
    fitness = {e.id: e.fitness for e in measured if e.fitness is not None and e.fitness >= least}
    passing = [e for e in measured if e.id in fitness]
    return sorted(passing, key=lambda e: (-fitness[e.id], e.id))[: stage.top]


def _lot(seed: int, candidate: Experiment) -> float:
    return random.Random(f"{seed} {candidate.number}").random()


def note(why: Why, stage: str) -> tuple[str, str]:
    """Return kind and message of the event that says why an experiment came to a stage."""
    return "gate", f"{stage}: {why}"


def noted(events: Iterable[tuple[int | None, str, str]]) -> Mapping[str, Mapping[int, Why]]:
    """Return {stage: {experiment id: why}} as events say it: (experiment id, kind, message).

    The first word counts: a loser that passes a wider gate later came as a loser.
    """
    found: dict[str, dict[int, Why]] = {}
    for id, kind, message in events:
        stage, _, why = message.partition(": ")
        if kind == "gate" and id is not None and why in ("winner", "loser", "named"):
            found.setdefault(stage, {}).setdefault(id, why)  # type: ignore[arg-type]
    return found
