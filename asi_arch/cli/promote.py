"""`asi-arch promote`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import Column, number, out, print_json, table
from asi_arch.cli.sitting import sit
from asi_arch.config import Stage
from asi_arch.records import Campaign

if TYPE_CHECKING:
    from asi_arch.search.gates import Entrant
    from asi_arch.store import Store


def promote(
    to: Annotated[Literal["confirm"], typer.Option(help="The stage to train them at.")],
    top: Annotated[int, typer.Option(min=0, help="So many best candidates pass, all told.")],
    losers: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="A share of --top more, drawn from the others; default: as before."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say who would be trained.")
    ] = False,
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Confirm more experiments of a campaign that has explored.

    The best by fitness, and some that did not pass, drawn by the campaign's seed: they show how
    far the small stage can be trusted (asi-arch stages). Then the campaign concludes again. A
    killed one goes on by the same command, or asi-arch resume.

    Example: asi-arch promote --to confirm --top 40
    """
    from asi_arch.further import promoted, widen_gate, wider_gate
    from asi_arch.launch import only_process

    with opened(db, campaign) as (store, record):
        gate = wider_gate(store, record, top, losers)
        if dry_run:
            _show(_rows(store, record, gate, promoted(store, record, gate)), to, json, out())
            return
        with only_process(record):
            sit(store, widen_gate(store, record, gate), db, json)


def _rows(
    store: "Store", record: Campaign, gate: Stage, found: "list[Entrant]"
) -> list[dict[str, Any]]:
    losses = store.losses(record.id, "confirm")
    return [
        {
            "id": experiment.id,
            "name": experiment.name,
            "fitness": experiment.fitness,
            "why": why,
            "missing_seeds": sorted(set(gate.seeds) - losses.get(experiment.id, {}).keys()),
        }
        for experiment, why in found
    ]


def _show(rows: list[dict[str, Any]], to: str, json: bool, console: Console) -> None:
    if json:
        print_json({"to": to, "promoted": rows})
        return
    columns = [
        Column[dict[str, Any]]("id", lambda row: str(row["id"])),
        Column[dict[str, Any]]("name", lambda row: row["name"], left=True),
        Column[dict[str, Any]]("fitness", lambda row: number(row["fitness"], 2, sign=True)),
        Column[dict[str, Any]]("why", lambda row: row["why"], left=True),
        Column[dict[str, Any]]("trainings", lambda row: str(len(row["missing_seeds"]))),
    ]
    console.print(table(columns, rows, console.width))
