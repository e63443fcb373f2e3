"""`asi-arch provenance`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import Column, out, print_json, table

if TYPE_CHECKING:
    from asi_arch.store.records import ProvenanceRow

_CAPTION = "best: the best quarter of the complete candidates; shares are of all components."


class _Sum(NamedTuple):
    """Components of one origin or category."""

    name: str
    components: int
    share: float
    best_components: int
    best_share: float


def provenance(
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show where the ideas come from.

    Cognition is literature, analysis the own experiments, originality neither; counted over all
    proposals and over the best.

    Example: asi-arch provenance --campaign 2
    """
    with opened(db, campaign) as (store, record):
        rows = store.provenance(record.id)
    if json:
        print_json({"campaign": record.id, "provenance": rows})
        return
    console = out()
    if not rows:
        console.print(Text("no proposal has been taken yet"))
        return
    console.print(_table("origin", _sums(rows, "origin"), console.width))
    console.print(_table("category", _sums(rows, "category"), console.width))
    console.print(Text(_CAPTION, "italic"))


def _sums(rows: "Sequence[ProvenanceRow]", field: str) -> list[_Sum]:
    """Return the rows added up over the other field, the largest first."""
    names = dict.fromkeys(str(getattr(row, field)) for row in rows)
    sums = [_sum(name, [row for row in rows if getattr(row, field) == name]) for name in names]
    return sorted(sums, key=lambda one: (-one.components, one.name))


def _sum(name: str, rows: "Sequence[ProvenanceRow]") -> _Sum:
    return _Sum(
        name,
        sum(row.components for row in rows),
        sum(row.share for row in rows),
        sum(row.best_components for row in rows),
        sum(row.best_share for row in rows),
    )


def _table(name: str, sums: Sequence[_Sum], width: int) -> Padding:
    columns = [
        Column[_Sum](name, lambda one: one.name, left=True),
        Column[_Sum]("all", lambda one: str(one.components)),
        Column[_Sum]("share", lambda one: f"{one.share:.0%}"),
        Column[_Sum]("best", lambda one: str(one.best_components)),
        Column[_Sum]("share of best", lambda one: f"{one.best_share:.0%}"),
    ]
    return table(columns, sums, width)
