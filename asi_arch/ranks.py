"""How well a small stage sorts candidates the way a larger one does."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from asi_arch.agreement import Estimate, estimate, spearman
from asi_arch.entrances import notes
from asi_arch.proportions import Share
from asi_arch.records import Run
from asi_arch.search.gates import Why
from asi_arch.standings import standings
from asi_arch.store import Store

ORDER = ("probe", "explore", "confirm", "final")


@dataclass(frozen=True)
class Agreement:
    """Whether two stages rank alike the candidates that came to both.

    `overlooked` counts the losers drawn by chance that at the larger stage were better than the
    median winner.
    """

    smaller: str
    larger: str
    count: int
    correlation: Estimate
    winners: int
    losers: int
    overlooked: Share | None


def agreements(store: Store, campaign_id: int) -> list[Agreement]:
    """Return what each pair of stages has to say that share two candidates or more."""
    quality, came = qualities(store, campaign_id), notes(store, campaign_id)
    pairs = [
        _agreement(one, other, quality[one], quality[other], came.get(other, {}))
        for one, other in combinations(ORDER, 2)
    ]
    return [pair for pair in pairs if pair.count > 1]


def qualities(store: Store, campaign_id: int) -> dict[str, dict[int, float]]:
    """Return {stage: {candidate id: quality}}: recall at `probe`, else the gain over the baseline.

    Where no baseline was trained it is the loss with its sign turned.
    """
    candidates = {e.id for e in store.experiments(campaign_id, kind="candidate")}
    found = {"probe": _recalls(store.runs(campaign_id, stage="probe"))}
    for stage in ORDER[1:]:
        known = standings(store, campaign_id, stage)
        gains = {id: known.gain(id) for id in known.losses}
        means = {id: -statistics.fmean(losses.values()) for id, losses in known.losses.items()}
        values = means if known.reference_id is None else gains
        found[stage] = {id: value for id, value in values.items() if value is not None}
    return {
        stage: {id: value for id, value in values.items() if id in candidates}
        for stage, values in found.items()
    }


def _recalls(runs: Iterable[Run]) -> dict[int, float]:
    """Return the best accuracy over seeds, which is what the gate looks at."""
    found: dict[int, float] = {}
    for run in runs:
        scores = run.measurement.scores if run.measurement else ()
        for score in scores[:1]:
            found[run.experiment_id] = max(score.value, found.get(run.experiment_id, 0.0))
    return found


def _agreement(
    smaller: str,
    larger: str,
    below: Mapping[int, float],
    above: Mapping[int, float],
    came: Mapping[int, Why],
) -> Agreement:
    both = sorted(below.keys() & above.keys())
    drawn = [above[id] for id in both if came.get(id) == "loser"]
    passed = [above[id] for id in both if came.get(id) != "loser"]
    overlooked = None
    if drawn and passed:
        median = statistics.median(passed)
        overlooked = Share(sum(value > median for value in drawn), len(drawn))
    pairs = [(below[id], above[id]) for id in both]
    correlation = estimate(spearman, pairs) if len(pairs) > 1 else Estimate(None)
    return Agreement(smaller, larger, len(both), correlation, len(passed), len(drawn), overlooked)
