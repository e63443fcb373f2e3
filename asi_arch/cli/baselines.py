"""`asi-arch baselines`."""

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.facts import noise_floors, reference_marks
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, STAGES, CampaignId, Db, Debug, Json
from asi_arch.cli.output import Column, count, number, out, print_json, table
from asi_arch.cli.results import marks_line, noise_line
from asi_arch.records import Campaign, Run

if TYPE_CHECKING:
    from asi_arch.store import Store


class _Line(NamedTuple):
    """One baseline at one stage; values are losses, at `probe` accuracies."""

    id: int
    name: str
    stage: str
    seeds: dict[int, float | None]
    mean: float | None
    deviation: float | None
    parameters: int | None


baselines = typer.Typer(invoke_without_command=True)


@baselines.callback()
def show(
    ctx: typer.Context,
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what the baselines reached with each seed, or run some.

    And the noise floor that follows from them.

    Example: asi-arch baselines
    """
    if ctx.invoked_subcommand:
        return
    with opened(db, campaign) as (store, record):
        print_baselines(store, record.id, json)


def print_baselines(store: "Store", campaign_id: int, json: bool) -> None:
    """Print what the baselines of a campaign reached."""
    record = store.campaign(campaign_id)
    lines = _lines(store, record)
    marks, floors = reference_marks(store, record.id), noise_floors(store, record)
    if json:
        print_json(_document(lines, marks, floors))
        return
    console = out()
    for stage in STAGES:
        _print(console, stage, [line for line in lines if line.stage == stage])
    console.print(marks_line(marks))
    console.print(noise_line(floors))


def _lines(store: "Store", campaign: Campaign) -> list[_Line]:
    return [
        _line(baseline.id, baseline.name, stage, runs)
        for baseline in store.experiments(campaign.id, kind="baseline")
        for stage in STAGES
        if (runs := store.runs(campaign.id, stage=stage, experiment_id=baseline.id))
    ]


def _line(id: int, name: str, stage: str, runs: list[Run]) -> _Line:
    seeds = {run.seed: _value(run) for run in runs}
    known = [value for value in seeds.values() if value is not None]
    return _Line(
        id,
        name,
        stage,
        seeds,
        statistics.fmean(known) if known else None,
        statistics.stdev(known) if len(known) > 1 else None,
        next((run.measurement.parameters for run in runs if run.measurement), None),
    )


def _value(run: Run) -> float | None:
    """Return the loss of a run, of a probe its accuracy, None if it failed."""
    if run.measurement is None:
        return None
    if run.stage == "probe":
        return next((s.value for s in run.measurement.scores if s.metric == "accuracy"), None)
    return run.measurement.loss


def _print(console: Console, stage: str, lines: list[_Line]) -> None:
    if not lines:
        return
    seeds = sorted({seed for line in lines for seed in line.seeds})
    columns = [
        Column[_Line]("id", lambda line: str(line.id)),
        Column[_Line]("baseline", lambda line: line.name, left=True),
        *(_seed_column(seed) for seed in seeds),
        Column[_Line]("mean", lambda line: number(line.mean)),
        Column[_Line]("sd", lambda line: number(line.deviation)),
        Column[_Line]("parameters", lambda line: count(line.parameters), 1),
    ]
    what = "recall accuracy" if stage == "probe" else "held-out loss, nats per token"
    console.print(Text(f"{stage}: {what}", "bold"))
    console.print(table(columns, lines, console.width))


def _seed_column(seed: int) -> Column[_Line]:
    return Column(f"seed {seed}", lambda line: number(line.seeds.get(seed)), drop=2)


def _document(
    lines: list[_Line], marks: dict[str, float], floors: dict[str, float | None]
) -> dict[str, Any]:
    return {
        "baselines": [line._asdict() for line in lines],
        "references": marks,
        "noise": floors,
    }
