"""`asi-arch spend`."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import NONE, Column, count, duration, number, out, print_json, table
from asi_arch.errors import UserError
from asi_arch.records import Campaign

if TYPE_CHECKING:
    from asi_arch.store.records import SpendRow

By = Literal["role", "model", "campaign"]
_SUMS = ("count", "failed", "tokens", "cached_tokens", "seconds")


def spend(
    by: Annotated[By, typer.Option("--by", help="What a line is about.")] = "role",
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what language models and training used.

    Tokens, money where the price is known, time. By model: all roles together; by campaign: all of
    the database.

    Example: asi-arch spend --by model
    """
    if by == "campaign" and campaign is not None:
        raise UserError("--by campaign shows every campaign; leave out --campaign")
    with opened(db, campaign) as (store, record):
        campaigns = store.campaigns() if by == "campaign" else [record]
        found = [(about, row) for about in campaigns for row in store.spend(about.id)]
    rows, raw = _added(by, found), [row for _, row in found]
    if json:
        which = None if by == "campaign" else record.id
        total = {"tokens": _tokens(raw), "cost": _cost(raw) or 0.0}
        sums = {"by": by, "spend": rows, "total": total, "unpriced": _unpriced(raw)}
        print_json({"campaign": which, **sums})
        return
    console = out()
    if rows:
        console.print(_table(by, rows, console.width))
    seconds = sum(one.seconds for one in campaigns)
    console.print(Text(f"{_footer(raw)}; wall time {duration(seconds)}"))


def _added(by: By, found: "Iterable[tuple[Campaign, SpendRow]]") -> "list[SpendRow]":
    """Return one row for each thing that a line is about, in the order they come."""
    groups: dict[tuple[str, str, str], list[SpendRow]] = defaultdict(list)
    for campaign, row in found:
        names = {
            "role": (row.name, row.model),
            "model": ("", row.model),
            "campaign": (f"{campaign.id} {campaign.name}", ""),
        }
        groups[(row.kind, *names[by])].append(row)
    return [_sum(rows, name, model) for (_, name, model), rows in groups.items()]


def _sum(rows: "Sequence[SpendRow]", name: str, model: str) -> "SpendRow":
    sums = {field: sum(getattr(row, field) for row in rows) for field in _SUMS}
    return rows[0].model_copy(update={**sums, "name": name, "model": model, "cost": _cost(rows)})


def _cost(rows: "Iterable[SpendRow]") -> float | None:
    known = [row.cost for row in rows if row.cost is not None]
    return math.fsum(known) if known else None


def _tokens(rows: "Iterable[SpendRow]") -> int:
    return sum(row.tokens for row in rows if row.kind == "calls")


def _unpriced(rows: "Iterable[SpendRow]") -> list[str]:
    """Return the models that used tokens of unknown price."""
    unknown = (row for row in rows if row.kind == "calls" and row.cost is None and row.tokens)
    return sorted({row.model or NONE for row in unknown})


def _table(by: By, rows: "Sequence[SpendRow]", width: int) -> Padding:
    columns: list[Column[SpendRow]] = [
        Column("kind", lambda row: row.kind, left=True),
        Column("campaign" if by == "campaign" else "role or stage", lambda r: r.name, left=True),
        Column("model", lambda row: row.model or NONE, 0 if by == "model" else 2, left=True),
        Column("count", lambda row: count(row.count)),
        Column("failed", lambda row: Text(count(row.failed), "red" if row.failed else ""), 3),
        Column("tokens", lambda row: count(row.tokens)),
        Column("cached", lambda row: count(row.cached_tokens) if row.cached_tokens else NONE, 4),
        Column("US dollars", lambda row: number(row.cost, 2)),
        Column("time", lambda row: duration(row.seconds), 1),
    ]
    empty = {"model": 1, "campaign": 2}.get(by)
    return table([c for place, c in enumerate(columns) if place != empty], rows, width)


def _footer(rows: "Sequence[SpendRow]") -> str:
    """Return what the language models came to in all."""
    if not any(row.kind == "calls" for row in rows):
        return "no language model has been asked"
    cost, unpriced = _cost(rows), _unpriced(rows)
    said = f"language models: {count(_tokens(rows))} tokens"
    said += "" if cost is None else f", {cost:.2f} US dollars where the price is known"
    return said + (f"; tokens only, of unknown price: {', '.join(unpriced)}" if unpriced else "")
