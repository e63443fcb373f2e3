"""`asi-arch lineage`."""

from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from asi_arch.cli.facts import COLOURS, mark
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import number, out, print_json, signed

if TYPE_CHECKING:
    from asi_arch.store.records import LineageRow


def lineage(
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw which experiment descends from which.

    With fitness and, in brackets, the difference to the parent.

    Example: asi-arch lineage
    """
    with opened(db, campaign) as (store, record):
        rows = store.lineage(record.id)
    if json:
        print_json({"campaign": record.id, "lineage": rows})
    else:
        out().print(_tree(f"campaign {record.id} ({record.name})", rows))


def _tree(title: str, rows: "list[LineageRow]") -> Tree:
    """Return the tree; rows come roots first, so a parent is there before its children."""
    tree = Tree(Text(title, "bold"))
    branches: dict[int | None, Tree] = {}
    for row in rows:
        above = branches.get(row.parent_id, tree)
        branches[row.experiment_id] = above.add(_label(row))
    return tree


def _label(row: "LineageRow") -> Text:
    name = Text(f"{row.experiment_id} {row.name}", "cyan" if row.kind == "baseline" else "")
    if row.fitness is None:
        return name.append(f"  {row.status.value}", "bright_black")
    meaning = mark(row.fitness) if row.kind == "candidate" else ""
    name.append(f"  {number(row.fitness, 2, sign=True)}", COLOURS[meaning])
    if row.difference is not None:
        name.append(" (").append(signed(row.difference, 2)).append(" to parent)")
    return name
