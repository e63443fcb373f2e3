"""`asi-arch diff`."""

import difflib
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, Db, Debug, ExperimentId, Json
from asi_arch.cli.output import Column, out, print_json, signed, table
from asi_arch.cli.show import program_of
from asi_arch.errors import UserError
from asi_arch.records import Experiment

if TYPE_CHECKING:
    from asi_arch.store import Store

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
Change = tuple[str, str | None, str | None]


def diff(
    id: ExperimentId,
    other: Annotated[
        str, typer.Option("--with", metavar="parent|ID", help="What to compare with.")
    ] = "parent",
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare an experiment with its parent or another one.

    The choices that differ, the difference in fitness, and the programs line by line.

    Example: asi-arch diff 12 --with parent
    """
    with opened(db) as (store, _):
        new = store.experiment(id)
        old = _other(store, new, other)
    if json:
        print_json(_document(old, new))
    else:
        _print(old, new, out())


def _other(store: "Store", experiment: Experiment, other: str) -> Experiment:
    if other.isdecimal() and len(other) < 10:
        return store.experiment(int(other))
    if other != "parent":
        raise UserError(f"cannot compare with {other!r}; write --with parent or --with ID")
    if experiment.parent_id is None:
        raise UserError(
            f"experiment {experiment.id} ({experiment.name}) has no parent; name one with --with ID"
        )
    return store.experiment(experiment.parent_id)


def _lines(old: Experiment, new: Experiment) -> list[str]:
    before, after = (program_of(e).source.splitlines() for e in (old, new))
    from_, to = (f"{e.id} {e.name}" for e in (old, new))
    return list(difflib.unified_diff(before, after, from_, to, lineterm=""))


def _choices(old: Experiment, new: Experiment) -> list[Change]:
    """Return each choice that differs, with its old and new value."""
    before, after = ((e.proposal.choices if e.proposal else {}) for e in (old, new))
    keys = sorted({*before, *after})
    changes = [(key, before.get(key), after.get(key)) for key in keys]
    return [change for change in changes if change[1] != change[2]]


def _difference(old: Experiment, new: Experiment) -> float | None:
    if old.fitness is None or new.fitness is None or old.campaign_id != new.campaign_id:
        return None
    return new.fitness - old.fitness


def _print(old: Experiment, new: Experiment, console: Console) -> None:
    lines = _lines(old, new)
    columns = [
        Column[Change]("choice", lambda change: change[0], left=True),
        Column[Change](f"{old.id} {old.name}", lambda change: change[1] or "–", left=True),
        Column[Change](f"{new.id} {new.name}", lambda change: change[2] or "–", left=True),
    ]
    changes = _choices(old, new)
    if changes:
        console.print(table(columns, changes, console.width))
    console.print(Text("fitness: ").append(signed(_difference(old, new), 2)).append(" noise units"))
    for line in lines or ["the programs are the same"]:
        console.print(Text(line, _COLOURS.get(line[:1], "")), soft_wrap=True)


def _document(old: Experiment, new: Experiment) -> dict[str, Any]:
    return {
        "old": {"id": old.id, "name": old.name, "fitness": old.fitness},
        "new": {"id": new.id, "name": new.name, "fitness": new.fitness},
        "fitness_difference": _difference(old, new),
        "choices": [
            {"choice": name, "old": before, "new": after}
            for name, before, after in _choices(old, new)
        ],
        "diff": _lines(old, new),
    }
