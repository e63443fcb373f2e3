"""`asi-arch provenance`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import Column, out, print_json, table
from asi_arch.proportions import Share, fisher
from asi_arch.records import Origin

if TYPE_CHECKING:
    from asi_arch.store.records import ProvenanceRow

_TAIL = 0.02
_LEVEL = 0.05
_CAPTION = (
    "best: the best quarter of the complete candidates; shares are of all components, with "
    "Wilson's 95 % interval, as if components were independent. arXiv 2507.18074 reports cognition "
    "51.7 %, analysis 38.2 %, originality 10.1 % of all; 48.6, 44.8 and 6.6 % of its best."
)


@dataclass(frozen=True)
class _Sum:
    """Components of one origin or category: of all proposals, and of the best."""

    name: str
    all: Share
    best: Share
    unsupported: int

    @property
    def p(self) -> float:
        """How likely chance alone sets the best as far apart from the rest, Fisher's test."""
        rest = Share(self.all.count - self.best.count, self.all.total - self.best.total)
        return fisher(self.best, rest)

    def document(self) -> dict[str, Any]:
        """Return counts, shares and intervals for programs."""
        return {
            "name": self.name,
            "components": self.all.count,
            "share": self.all.value,
            "interval": self.all.interval,
            "unsupported": self.unsupported,
            "best_components": self.best.count,
            "best_share": self.best.value,
            "best_interval": self.best.interval,
        }


def provenance(
    all_: Annotated[
        bool, typer.Option("--all", help="Also list categories of less than 2 %.")
    ] = False,
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show where the ideas come from.

    Cognition is literature, analysis the own experiments, originality neither; counted over all
    proposals and over the best, with what chance allows.

    Example: asi-arch provenance --campaign 2
    """
    with opened(db, campaign) as (store, record):
        rows = store.provenance(record.id)
    origins = _sums(rows, "origin", [origin.value for origin in Origin])
    categories = _sums(rows, "category", sorted({row.category for row in rows}))
    categories.sort(key=lambda one: -one.all.count)
    if json:
        print_json({"campaign": record.id, "provenance": rows, **_document(origins, categories)})
    elif not rows:
        out().print(Text("no proposal has been taken yet"))
    else:
        _print(origins, categories if all_ else _folded(categories), out())


def _sums(rows: "Sequence[ProvenanceRow]", field: str, names: Iterable[str]) -> list[_Sum]:
    """Return the rows added up over the other field."""
    return [
        _sum(name, [row for row in rows if getattr(row, field) == name], rows) for name in names
    ]


def _sum(name: str, rows: "Sequence[ProvenanceRow]", every: "Sequence[ProvenanceRow]") -> _Sum:
    total = sum(row.components for row in every)
    best_total = sum(row.best_components for row in every)
    return _Sum(
        name,
        Share(sum(row.components for row in rows), total),
        Share(sum(row.best_components for row in rows), best_total),
        sum(row.unsupported for row in rows),
    )


def _folded(categories: Sequence[_Sum]) -> list[_Sum]:
    """Return the categories with those that are rare added up in one line at the end."""
    rare = [one for one in categories if one.all.value < _TAIL]
    kept = [one for one in categories if one.all.value >= _TAIL]
    if not rare:
        return kept
    others = _Sum(
        f"{len(rare)} others",
        Share(sum(one.all.count for one in rare), rare[0].all.total),
        Share(sum(one.best.count for one in rare), rare[0].best.total),
        sum(one.unsupported for one in rare),
    )
    return [*kept, others]


def _document(origins: Sequence[_Sum], categories: Sequence[_Sum]) -> dict[str, Any]:
    return {
        "origins": [
            one.document() | {"p": one.p, "p_corrected": _corrected(one)} for one in origins
        ],
        "categories": [one.document() for one in categories],
        "sentence": _verdict(origins).plain,
    }


def _print(origins: Sequence[_Sum], categories: Sequence[_Sum], console: Console) -> None:
    console.print(_table("origin", origins, console.width))
    console.print(_unsupported(sum(one.unsupported for one in origins)))
    console.print(_table("category", categories, console.width))
    console.print(Text(_CAPTION, "italic"))
    console.print(_verdict(origins))


def _table(name: str, sums: Sequence[_Sum], width: int) -> Padding:
    columns = [
        Column[_Sum](name, lambda one: one.name, left=True),
        Column[_Sum]("all", lambda one: str(one.all.count)),
        Column[_Sum]("share", lambda one: f"{one.all.value:.0%}"),
        Column[_Sum]("95 %", lambda one: _interval(one.all), 1),
        Column[_Sum]("best", lambda one: str(one.best.count)),
        Column[_Sum]("share of best", lambda one: f"{one.best.value:.0%}"),
        Column[_Sum]("95 %", lambda one: _interval(one.best), 2),
    ]
    return table(columns, sums, width)


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{100 * low:.0f}–{high:.0%}"


def _unsupported(count: int) -> Text:
    said = "they claimed another origin and cited what they had not been shown"
    return Text(f"originality, of which unsupported: {count} ({said})\n", "yellow" if count else "")


def _verdict(origins: Sequence[_Sum]) -> Text:
    """Say whether the best differ from the rest."""
    if not origins[0].best.total or origins[0].best.total == origins[0].all.total:
        return Text("there are no best and rest to compare yet", "yellow")
    corrected = {one.name: _corrected(one) for one in origins}
    numbers = ", ".join(f"{name} {p:.2g}" for name, p in corrected.items())
    beyond = [name for name, p in corrected.items() if p < _LEVEL]
    found = f"{' and '.join(beyond)} beyond chance" if beyond else "none beyond chance"
    return Text(
        f"best against the rest: {found} (Fisher's exact test, p times 3 for three comparisons: "
        f"{numbers})",
        "green" if beyond else "yellow",
    )


def _corrected(origin: _Sum) -> float:
    """Return the p-value times the number of origins compared."""
    return min(1.0, len(Origin) * origin.p)
