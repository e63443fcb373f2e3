"""What the experiments reached at one stage, each with its interval to the strongest baseline."""

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.facts import COLOURS, noise_floors
from asi_arch.cli.options import SCORED
from asi_arch.cli.output import NONE, Column, number, signed, table, with_error
from asi_arch.records import Campaign, Experiment
from asi_arch.search.objective import standard_error
from asi_arch.search.paired import Comparison, Windows

if TYPE_CHECKING:
    from asi_arch.store import Store

_TITLES = {
    "explore": "Explore: small size",
    "confirm": "Confirm: larger size, fresh seeds",
    "final": "Final: long training of those that were named",
}


@dataclass(frozen=True)
class StagePlace:
    """An experiment at a stage; the strongest baseline is not compared with itself."""

    experiment: Experiment
    windows: Windows
    comparison: Comparison | None

    @property
    def loss(self) -> float:
        """Mean held-out loss over seeds, nats per token."""
        return statistics.fmean(statistics.fmean(one) for one in self.windows.values())

    @property
    def mark(self) -> str:
        """What the interval says; baselines are the measure, not the measured."""
        if self.comparison is None or self.experiment.kind == "baseline":
            return ""
        return self.comparison.verdict

    def document(self) -> dict[str, Any]:
        """Return the place for programs."""
        return {
            "id": self.experiment.id,
            "name": self.experiment.name,
            "kind": self.experiment.kind,
            "loss": self.loss,
            "error": standard_error(self.windows),
            "seeds": sorted(self.windows),
            "comparison": self.comparison and comparison_document(self.comparison),
            "mark": self.mark,
        }


def comparison_document(found: Comparison) -> dict[str, Any]:
    """Return a comparison for programs."""
    names = ("difference", "low", "high", "p", "seeds", "windows", "sampled")
    return {name: getattr(found, name) for name in names}


def stage_places(store: "Store", campaign_id: int, stage: str) -> list[StagePlace]:
    """Return who was measured at a stage, lowest loss first."""
    from asi_arch.standings import comparisons

    experiments = {e.id: e for e in store.experiments(campaign_id)}
    compared = comparisons(store, campaign_id, stage)
    windows = store.heldout(campaign_id, stage)
    found = [StagePlace(experiments[id], own, compared.get(id)) for id, own in windows.items()]
    return sorted(found, key=lambda place: (place.loss, place.experiment.id))


def stage_table(found: list[StagePlace], stage: str, width: int) -> Padding:
    """Return who was measured at a stage as a table that fits."""
    columns = [
        Column[StagePlace]("id", lambda p: str(p.experiment.id)),
        Column[StagePlace]("name", _name, left=True),
        Column[StagePlace]("loss", _loss),
        Column[StagePlace]("seeds", lambda p: str(len(p.windows)), 3),
        Column[StagePlace]("gain ± 95 %", _gain),
        Column[StagePlace]("mark", lambda p: Text(p.mark, COLOURS[p.mark]), 1, left=True),
    ]
    return table(columns, found, width, title=_TITLES[stage])


def _name(place: StagePlace) -> Text:
    baseline = place.experiment.kind == "baseline"
    return Text(place.experiment.name or NONE, "cyan" if baseline else "")


def _loss(place: StagePlace) -> str:
    return with_error(place.loss, standard_error(place.windows), 3, "±")


def _gain(place: StagePlace) -> Text:
    return Text(NONE) if place.comparison is None else difference(place.comparison)


def difference(found: Comparison) -> Text:
    """Return a difference with half its 95 % interval."""
    half = found.half_width()
    text = signed(found.difference)
    return text if half is None else text.append(f"±{number(half)}")


def later_stages(store: "Store", campaign_id: int) -> dict[str, list[StagePlace]]:
    """Return who was measured after `explore`, for each stage where somebody was."""
    found = {stage: stage_places(store, campaign_id, stage) for stage in SCORED[1:]}
    return {stage: places for stage, places in found.items() if places}


def choice_note(found: list[StagePlace]) -> str:
    """Return what the number of candidates means for whoever picks the best of them."""
    candidates = sum(place.mark != "" for place in found)
    if candidates < 2:
        return ""
    return (
        f" Each interval is for one of {candidates} candidates; whoever picks the best of them "
        "picks luck too, which no interval here accounts for: train that one with fresh seeds."
    )


def print_stage(store: "Store", campaign: Campaign, stage: str, console: Console) -> None:
    """Print the ranking of one stage and how it is to be read."""
    found = stage_places(store, campaign.id, stage)
    if not found:
        console.print(Text(f"nothing has been measured at {stage} yet", "yellow"))
        return
    console.print(stage_table(found, stage, console.width))
    sampled = sorted({p.comparison.sampled for p in found if p.mark and p.comparison})
    text = (
        "gain: paired difference to the strongest baseline in held-out loss, nats per token "
        f"(positive is better), with its interval over {'; or '.join(sampled) or 'nothing'}."
    )
    console.print(Text(text + choice_note(found), "italic"))
    floor = noise_floors(store, campaign).get(stage)
    console.print(Text(f"noise floor of a paired difference: {number(floor)} nats per token"))


def stage_document(store: "Store", campaign: Campaign, stage: str) -> dict[str, Any]:
    """Return what `print_stage` prints, for programs."""
    return {
        "campaign": campaign.id,
        "stage": stage,
        "places": [place.document() for place in stage_places(store, campaign.id, stage)],
        "noise": noise_floors(store, campaign).get(stage),
    }
