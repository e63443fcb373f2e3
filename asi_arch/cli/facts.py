"""Figures that several commands compute from the records of a campaign."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asi_arch.records import Campaign, Experiment
from asi_arch.search.objective import (
    losses_by_experiment,
    noise_floor,
    paired_differences,
    strongest,
)

if TYPE_CHECKING:
    from asi_arch.store import Store

WITHIN = 3.0
"""A fitness of less than this many noise units, either way, proves nothing.

The noise itself is measured on few runs: with three baselines on three seeds (4 degrees of
freedom) chance alone passes 2 in one case of nine, and 3 in one of 25.
"""


@dataclass(frozen=True)
class StageFacts:
    """Losses at a stage by experiment and seed, and what the baselines among them say.

    `noise` is None until two baselines have two seeds in common; `reference_id` is the strongest
    baseline.
    """

    losses: Mapping[int, Mapping[int, float]]
    noise: float | None
    reference_id: int | None

    def gain(self, experiment_id: int) -> float | None:
        """Return the mean paired gain over the strongest baseline, nats per token."""
        if self.reference_id is None or experiment_id not in self.losses:
            return None
        reference = self.losses[self.reference_id]
        gains = paired_differences(self.losses[experiment_id], reference)
        return sum(gains) / len(gains) if gains else None


def stage_facts(store: "Store", campaign_id: int, stage: str) -> StageFacts:
    """Return what the finished runs of a stage say."""
    ids = {baseline.id for baseline in store.experiments(campaign_id, kind="baseline")}
    losses = losses_by_experiment(store.runs(campaign_id, stage=stage))
    baselines = {key: value for key, value in losses.items() if key in ids}
    best = strongest(baselines)
    return StageFacts(losses, noise_floor(baselines), best[0] if best else None)


def noise_floors(store: "Store", campaign: Campaign) -> dict[str, float | None]:
    """Return the measured noise of a paired difference at each stage, nats per token.

    At `confirm` it is the one of the conclusion, which also counts the best found.
    """
    stages = ("explore", "confirm")
    floors = {stage: stage_facts(store, campaign.id, stage).noise for stage in stages}
    if campaign.conclusion is not None and campaign.conclusion.noise is not None:
        floors["confirm"] = campaign.conclusion.noise
    return floors


def reference_curve(store: "Store", campaign_id: int, stage: str, seed: int) -> dict[int, float]:
    """Return {step: training loss} of the strongest baseline, empty while there is none."""
    best = stage_facts(store, campaign_id, stage).reference_id
    for run in store.runs(campaign_id, stage=stage, experiment_id=best) if best else ():
        if run.seed == seed and run.measurement is not None:
            return {point.step: point.loss for point in run.measurement.curve}
    return {}


def reference_marks(store: "Store", campaign_id: int) -> dict[str, float]:
    """Return what trivial models score on the held-out text, nats per token."""
    dataset = store.dataset(campaign_id)
    return {} if dataset is None else dataset.references


def mark(fitness: float | None) -> str:
    """Return what a fitness means beside the noise."""
    if fitness is None:
        return ""
    if abs(fitness) < WITHIN:
        return "within noise"
    return "better" if fitness > 0 else "worse"


def best_of(experiments: list[Experiment]) -> Experiment | None:
    """Return the candidate of the highest fitness, None while no candidate has one."""
    found = [e for e in experiments if e.kind == "candidate" and e.fitness is not None]
    return max(found, key=lambda e: e.fitness or 0.0, default=None)
