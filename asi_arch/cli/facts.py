"""Figures that several commands compute from the records of a campaign."""

from typing import TYPE_CHECKING

from asi_arch.cli.options import SCORED
from asi_arch.records import Campaign, Experiment
from asi_arch.search.objective import WITHIN

if TYPE_CHECKING:
    from asi_arch.store import Store


COLOURS = {"better": "green", "within noise": "yellow", "worse": "red", "": ""}
"""What each mark is printed in."""


def noise_floors(store: "Store", campaign: Campaign) -> dict[str, float | None]:
    """Return the measured noise of a paired difference at each stage, nats per token.

    `final` is left out while nobody has come there. At `confirm` it is the one of the conclusion,
    which also counts the best found.
    """
    from asi_arch.standings import standings

    floors = {stage: standings(store, campaign.id, stage).noise for stage in SCORED}
    if floors["final"] is None:
        del floors["final"]
    if campaign.conclusion is not None and campaign.conclusion.noise is not None:
        floors["confirm"] = campaign.conclusion.noise
    return floors


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
