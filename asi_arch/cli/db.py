"""`asi-arch db`."""

import typer
from rich.text import Text

from asi_arch.cli.options import DEFAULT_DB, Db, Debug, Json
from asi_arch.cli.output import Column, count, out, print_json, table

db = typer.Typer(help="Look at the database or bring it up to date.", no_args_is_help=True)


@db.command()
def info(db: Db = DEFAULT_DB, json: Json = False, debug: Debug = False) -> None:
    """Show where the database is, its schema, its size and the rows of each table.

    Example: asi-arch db info
    """
    from asi_arch.store import Store

    with Store.open(db, create=False) as store:
        found = store.info()
    if json:
        print_json(found)
        return
    console = out()
    console.print(Text(f"{found.url}, schema {found.revision}, {count(found.bytes)} bytes"))
    columns = [
        Column[tuple[str, int]]("table", lambda row: row[0], left=True),
        Column[tuple[str, int]]("rows", lambda row: count(row[1])),
    ]
    console.print(table(columns, found.rows.items(), console.width))


@db.command()
def upgrade(db: Db = DEFAULT_DB, json: Json = False, debug: Debug = False) -> None:
    """Bring the database to the schema of this version.

    Example: asi-arch db upgrade --db old.db
    """
    from asi_arch.store import Store

    old, new = Store.upgrade(db)
    if json:
        print_json({"old": old, "new": new})
    elif old == new:
        out().print(Text(f"the schema is up to date: {new}"))
    else:
        out().print(Text(f"upgraded the schema from {old} to {new}"))
