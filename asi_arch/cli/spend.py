"""`asi-arch spend`."""

from typing import TYPE_CHECKING

from rich.text import Text

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import Column, count, duration, number, out, print_json, table

if TYPE_CHECKING:
    from asi_arch.store.records import SpendRow


def spend(
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what language models and training used.

    Tokens, money where the price is known, time.

    Example: asi-arch spend
    """
    with opened(db, campaign) as (store, record):
        rows, total = store.spend(record.id), store.total_spend(record.id)
    if json:
        print_json({"campaign": record.id, "spend": rows, "total": total})
        return
    console = out()
    columns: list[Column[SpendRow]] = [
        Column("kind", lambda row: row.kind, left=True),
        Column("role or stage", lambda row: row.name, left=True),
        Column("model", lambda row: row.model or "–", 2, left=True),
        Column("count", lambda row: count(row.count)),
        Column("tokens", lambda row: count(row.tokens)),
        Column("US dollars", lambda row: number(row.cost, 2)),
        Column("time", lambda row: duration(row.seconds), 1),
    ]
    console.print(table(columns, rows, console.width))
    console.print(
        Text(
            f"language models: {count(total.tokens)} tokens, {total.cost:.2f} US dollars where the "
            f"price is known; wall time {duration(record.seconds)}"
        )
    )
