"""Experiments against references of the same campaign: every pair, and what so many pairs mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from asi_arch.errors import UserError
from asi_arch.records import Experiment
from asi_arch.search.paired import Comparison, compare, holm, verdict
from asi_arch.standings import standings
from asi_arch.store import Store

_LARGEST_FIRST = ("final", "confirm", "explore")


@dataclass(frozen=True)
class Versus:
    """One pair; `corrected` is the p-value among all pairs (Holm), None without an interval."""

    experiment: Experiment
    reference: Experiment
    comparison: Comparison
    corrected: float | None

    @property
    def verdict(self) -> str:
        """Better, worse or within noise, given how many pairs were looked at."""
        significant = self.corrected is not None and self.corrected < 0.05
        return verdict(self.comparison.difference, significant)


def find(store: Store, campaign_id: int, word: str) -> Experiment:
    """Return the experiment with this id, or the baseline of this name.

    Raises:
        UserError: there is none in this campaign.
    """
    experiments = store.experiments(campaign_id)
    for one in experiments:
        if word == str(one.id) or (one.kind == "baseline" and word == one.name):
            return one
    names = ", ".join(one.name for one in experiments if one.kind == "baseline") or "none"
    raise UserError(
        f"campaign {campaign_id} has no experiment {word!r}; give an id that asi-arch leaderboard "
        f"shows, or one of its baselines: {names}"
    )


def largest_stage(store: Store, campaign_id: int, found: Sequence[Experiment]) -> str:
    """Return the largest stage that all experiments have been trained at.

    Raises:
        UserError: there is none.
    """
    for stage in _LARGEST_FIRST:
        if {one.id for one in found} <= store.losses(campaign_id, stage).keys():
            return stage
    raise UserError(
        f"no stage has runs of all of {_ids(found)}; name experiments that asi-arch leaderboard "
        "shows with a loss"
    )


def strongest_baseline(store: Store, campaign_id: int, stage: str) -> Experiment:
    """Return the strongest baseline of a stage.

    Raises:
        UserError: none has been trained there.
    """
    best = standings(store, campaign_id, stage).reference_id
    if best is None:
        raise UserError(f"no baseline has been trained at {stage}; name references with --with")
    return store.experiment(best)


def versus(
    store: Store,
    campaign_id: int,
    stage: str,
    found: Sequence[Experiment],
    references: Sequence[Experiment],
) -> list[Versus]:
    """Compare each experiment with each reference, itself left out.

    Raises:
        UserError: one has no run at the stage, or two have no seed in common.
    """
    windows, known = store.heldout(campaign_id, stage), standings(store, campaign_id, stage)
    missing = [one for one in (*found, *references) if one.id not in windows]
    if missing:
        raise UserError(
            f"{_ids(missing)} has no finished run at {stage}; asi-arch show says where it was "
            "trained, and asi-arch promote and asi-arch final train further"
        )
    pairs = [(one, other) for one in found for other in references if one.id != other.id]
    documents = store.documents(campaign_id, stage)
    compared = [
        compare(windows[a.id], windows[b.id], documents, known.spread(a.id, b.id)) for a, b in pairs
    ]
    tested = [comparison for comparison in compared if comparison is not None]
    if len(tested) < len(pairs):
        raise UserError(
            f"{_ids(pairs[compared.index(None)])} have no seed in common at {stage}; name others"
        )
    corrected = iter(holm([one.p for one in tested if one.p is not None]))
    return [
        Versus(*pair, comparison, None if comparison.p is None else next(corrected))
        for pair, comparison in zip(pairs, tested, strict=True)
    ]


def _ids(found: Sequence[Experiment]) -> str:
    return ", ".join(f"{one.id} {one.name}".strip() for one in found)
