"""What the finished runs of a campaign's stage say: losses, the strongest baseline, the noise."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asi_arch.records import Mark, MetricPoint, Pace
from asi_arch.search.objective import (
    noise_floor,
    paired_differences,
    spread_of,
    strongest,
)
from asi_arch.search.paired import Comparison, Part, compare
from asi_arch.store import Store


@dataclass(frozen=True)
class Standings:
    """Losses at a stage, {experiment id: {seed: nats per token}}, of all and of the baselines."""

    losses: Mapping[int, Mapping[int, float]]
    baselines: Mapping[int, Mapping[int, float]]

    @property
    def reference_id(self) -> int | None:
        """The strongest baseline, None while none has run."""
        return next(iter(strongest(self.baselines)), None)

    @property
    def noise(self) -> float | None:
        """Noise of a paired difference; None until two baselines have two seeds in common."""
        return noise_floor(self.baselines)

    def spread(self, one: int, other: int) -> Part | None:
        """Return how paired differences of baselines vary between seeds, for a pair with one."""
        common = self.losses[one].keys() & self.losses[other].keys()
        return spread_of(self.baselines) if len(common) == 1 else None

    def gain(self, experiment_id: int) -> float | None:
        """Return the mean paired gain over the strongest baseline, nats per token."""
        if self.reference_id is None or experiment_id not in self.losses:
            return None
        gains = paired_differences(self.losses[experiment_id], self.losses[self.reference_id])
        return sum(gains) / len(gains) if gains else None


def standings(store: Store, campaign_id: int, stage: str) -> Standings:
    """Return what the finished runs of a stage say."""
    ids = {baseline.id for baseline in store.experiments(campaign_id, kind="baseline")}
    losses = store.losses(campaign_id, stage)
    return Standings(losses, {key: value for key, value in losses.items() if key in ids})


def comparisons(store: Store, campaign_id: int, stage: str) -> dict[int, Comparison]:
    """Return how each experiment compares with the strongest baseline of a stage, that left out.

    Of one that has a single seed the baselines say how much seeds matter.
    """
    known = standings(store, campaign_id, stage)
    windows = store.heldout(campaign_id, stage)
    if known.reference_id is None:
        return {}
    reference, documents = windows.pop(known.reference_id), store.documents(campaign_id, stage)
    found = {
        id: compare(own, reference, documents, known.spread(id, known.reference_id))
        for id, own in windows.items()
    }
    return {id: one for id, one in found.items() if one is not None}


def pace(store: Store, campaign_id: int, stage: str) -> Pace | None:
    """Return how the strongest baseline trained at a stage, None while it has not."""
    best = standings(store, campaign_id, stage).reference_id
    runs = store.runs(campaign_id, stage=stage, experiment_id=best) if best else ()
    measured = [run.measurement for run in runs if run.measurement]
    if not measured:
        return None
    speed = statistics.median(one.tokens_per_second for one in measured)
    points = zip(*(one.curve for one in measured), strict=True)
    return Pace(tokens_per_second=speed, marks=tuple(map(_mark, points)))


def _mark(points: Sequence[MetricPoint]) -> Mark:
    """Return what the seeds of a baseline have in common at a step."""
    losses = [point.loss for point in points]
    deviation = statistics.stdev(losses) if len(losses) > 1 else 0.0
    return Mark(step=points[0].step, loss=statistics.fmean(losses), deviation=deviation)


def reference_curve(store: Store, campaign_id: int, stage: str, seed: int) -> dict[int, float]:
    """Return {step: training loss} of the strongest baseline, empty while there is none."""
    best = standings(store, campaign_id, stage).reference_id
    for run in store.runs(campaign_id, stage=stage, experiment_id=best) if best else ():
        if run.seed == seed and run.measurement is not None:
            return {point.step: point.loss for point in run.measurement.curve}
    return {}
