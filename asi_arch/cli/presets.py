"""`asi-arch presets`."""

from typing import Annotated

import typer
from rich.padding import Padding
from rich.syntax import Syntax

from asi_arch.cli.options import Debug, Json, complete_presets
from asi_arch.cli.output import Column, out, print_json, table
from asi_arch.configure import PRESETS, load_config, preset_names


def presets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One to print.", autocompletion=complete_presets),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the shipped configurations, or print one.

    Example: asi-arch presets demo > my.toml; asi-arch run --config my.toml
    """
    if json:
        names = preset_names() if name is None else [name]
        print_json({name: load_config(name) for name in names})
    elif name is None:
        out().print(_listing())
    else:
        load_config(name)  # says which there are when there is none of this name
        _print_one(name)


def _listing() -> Padding:
    columns = [
        Column[str]("preset", lambda name: name, left=True),
        Column[str]("experiments", lambda name: str(load_config(name).budget.experiments)),
        Column[str]("what it is", _purpose, left=True),
    ]
    return table(columns, preset_names(), out().width)


def _purpose(name: str) -> str:
    """Return the comment that a preset begins with."""
    return _text(name).partition("\n")[0].lstrip("# ")


def _print_one(name: str) -> None:
    console = out()
    if console.is_terminal:
        console.print(Syntax(_text(name), "toml", theme="ansi_dark", background_color="default"))
    else:
        typer.echo(_text(name), nl=False)


def _text(name: str) -> str:
    return (PRESETS / f"{name}.toml").read_text()
