"""The tables at the end of a campaign."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.facts import COLOURS, mark, noise_floors, reference_marks
from asi_arch.cli.output import NONE, Column, count, number, signed, table, with_error
from asi_arch.cli.stage_table import later_stages, stage_table
from asi_arch.records import Campaign, Conclusion
from asi_arch.search.objective import WITHIN

if TYPE_CHECKING:
    from asi_arch.store import Store
    from asi_arch.store.records import LeaderboardRow

_CAPTION = (
    "fitness: mean gain over the strongest baseline at explore (same seeds), in units of the "
    f"noise floor; below {WITHIN:g} either way it is within the noise, and the best of many is "
    "lucky too: only confirm, with fresh seeds, decides. explore: held-out loss ± standard error, "
    "gain: the paired difference, both in nats per token. recall, where it fits: accuracy of the "
    "probe."
)


@dataclass(frozen=True)
class Place:
    """A row of the leaderboard with what the view does not know."""

    row: "LeaderboardRow"
    gain: float | None
    confirm_gain: float | None
    parent: str

    @property
    def mark(self) -> str:
        """What the fitness means; baselines are the measure, not the measured."""
        return mark(self.row.fitness) if self.row.kind == "candidate" else ""


def places(store: "Store", campaign_id: int) -> list[Place]:
    """Return the leaderboard of a campaign."""
    from asi_arch.standings import standings

    rows = store.leaderboard(campaign_id)
    explore, confirm = (standings(store, campaign_id, stage) for stage in ("explore", "confirm"))
    names = {row.experiment_id: row.name for row in rows}
    return [
        Place(
            row,
            explore.gain(row.experiment_id),
            confirm.gain(row.experiment_id),
            names.get(row.parent_id or 0, ""),
        )
        for row in rows
    ]


def leaderboard_table(found: list[Place], width: int) -> Padding:
    """Return the ranking as a table that fits."""
    columns = [
        Column[Place]("#", lambda p: NONE if p.row.rank is None else str(p.row.rank)),
        Column[Place]("id", lambda p: str(p.row.experiment_id)),
        Column[Place]("name", _name, left=True),
        Column[Place]("fitness", lambda p: Text(number(p.row.fitness, 2, True), COLOURS[p.mark])),
        Column[Place]("mark", _mark, 1, left=True),
        Column[Place]("explore", _explore, 2),
        Column[Place]("gain", lambda p: signed(p.gain), 5),
        Column[Place]("recall", lambda p: number(p.row.recall, 3), 4),
        Column[Place]("parent", lambda p: p.parent or NONE, 6, left=True),
        Column[Place]("parameters", lambda p: count(p.row.parameters), 7),
        Column[Place]("tokens/s", lambda p: count(p.row.tokens_per_second), 8),
        Column[Place]("kind", lambda p: p.row.kind, 9, left=True),
        Column[Place]("status", lambda p: p.row.status.value, 10, left=True),
    ]
    return table(columns, found, width, title="Leaderboard")


def _name(place: Place) -> Text:
    return Text(place.row.name or NONE, "cyan" if place.row.kind == "baseline" else "")


def _mark(place: Place) -> Text:
    """Return what the fitness means, or how far an experiment without one has come."""
    if place.row.fitness is None:
        return Text(place.row.status.value, "bright_black")
    return Text(place.mark, COLOURS[place.mark])


def _explore(place: Place) -> str:
    return with_error(place.row.explore_loss, place.row.explore_error, 3, "±")


def marks_line(references: dict[str, float]) -> Text:
    """Return what trivial models score on the same text, in one line."""
    marks = ", ".join(f"{name} {number(value, 3)}" for name, value in references.items())
    return Text(f"reference marks (nats per token): {marks or 'not measured yet'}", "cyan")


def noise_line(floors: dict[str, float | None]) -> Text:
    """Return the measured noise floors in one line."""
    parts = ", ".join(f"{stage} {number(value)}" for stage, value in floors.items())
    return Text(f"noise floor of a paired difference (nats per token): {parts}")


def conclusion_text(conclusion: Conclusion) -> Text:
    """Return the sentence in green beyond the noise, yellow within it, red when worse."""
    worse = conclusion.high is not None and conclusion.high < 0
    colour = "green" if conclusion.beyond_noise else ("red" if worse else "yellow")
    return Text(conclusion.sentence, f"bold {colour}")


def print_results(store: "Store", campaign: Campaign, console: Console) -> None:
    """Print the leaderboard, the marks beside it, the noise and the conclusion."""
    found = places(store, campaign.id)
    console.print(leaderboard_table(found, console.width))
    for stage, reached in later_stages(store, campaign.id).items():
        console.print(stage_table(reached, stage, console.width))
    console.print(Text(_CAPTION, "italic"))
    console.print(marks_line(reference_marks(store, campaign.id)))
    console.print(noise_line(noise_floors(store, campaign)))
    if campaign.conclusion is not None:
        console.print(conclusion_text(campaign.conclusion))
    elif campaign.status == "stopped":
        console.print(Text(f"no conclusion yet, stopped: {campaign.reason}", "yellow"))


def results_document(store: "Store", campaign: Campaign) -> dict[str, Any]:
    """Return what `print_results` prints, for programs."""
    return {
        "campaign": campaign.model_dump(exclude={"config", "conclusion"}),
        "leaderboard": [
            p.row.model_dump()
            | {"gain": p.gain, "confirm_gain": p.confirm_gain, "parent": p.parent, "mark": p.mark}
            for p in places(store, campaign.id)
        ],
        "stages": {
            stage: [place.document() for place in reached]
            for stage, reached in later_stages(store, campaign.id).items()
        },
        "references": reference_marks(store, campaign.id),
        "noise": noise_floors(store, campaign),
        "conclusion": campaign.conclusion,
    }
