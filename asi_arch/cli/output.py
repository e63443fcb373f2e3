"""What all commands print with: two consoles, one JSON document, numbers, tables that fit."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

NONE = "–"
T = TypeVar("T")


def out() -> Console:
    """Return the console of results."""
    return Console(highlight=False)


def err() -> Console:
    """Return the console of progress and mistakes."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print one document that any JSON parser reads; numbers that are not finite become null."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value made of what JSON has."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: float | None, digits: int = 4, sign: bool = False) -> str:
    """Return a number with so many digits after the point, a dash for none."""
    if value is None or math.isnan(value):
        return NONE
    return f"{value:{'+' if sign else ''}.{digits}f}"


def with_error(
    value: float | None, error: float | None, digits: int = 4, between: str = " ± "
) -> str:
    """Return `value ± error`, without the latter when it is not known."""
    if value is None or error is None:
        return number(value, digits)
    return f"{number(value, digits)}{between}{number(error, digits)}"


def count(value: float | None) -> str:
    """Return a whole number with spaces between thousands."""
    return NONE if value is None else f"{value:,.0f}".replace(",", " ")


def duration(seconds: float | None) -> str:
    """Return a time as h:mm:ss or m:ss, a dash for none."""
    if seconds is None:
        return NONE
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def signed(value: float | None, digits: int = 4, good: int = 1) -> Text:
    """Return a difference in green when its sign is that of `good`, in red when it is not."""
    style = "" if not value else ("green" if value * good > 0 else "red")
    return Text(number(value, digits, sign=True), style)


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table; where space is short, the lowest `drop` stays, 0 always."""

    name: str
    cell: Callable[[T], str | Text]
    drop: int = 0
    left: bool = False


def table(columns: Sequence[Column[T]], rows: Iterable[T], width: int, title: str = "") -> Padding:
    """Return a table of at most `width` characters, numbers to the right, and an empty line."""
    cells = [[_text(column.cell(row)) for column in columns] for row in rows]
    kept = _fitting(columns, cells, width)
    result = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for column in (columns[index] for index in kept):
        justify: Any = "left" if column.left else "right"
        result.add_column(column.name, justify=justify, no_wrap=not column.left, overflow="fold")
    for line in cells:
        result.add_row(*(line[index] for index in kept))
    return Padding(result, (0, 0, 1, 0), expand=False)


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _fitting(columns: Sequence[Column[T]], cells: list[list[Text]], width: int) -> list[int]:
    """Return which columns to keep: the most important ones for which there is room."""
    room = width + 2  # nothing follows the last column
    widths = [
        max([len(column.name), *(line[index].cell_len for line in cells)]) + 2
        for index, column in enumerate(columns)
    ]
    kept: list[int] = []
    for index in sorted(range(len(columns)), key=lambda index: columns[index].drop):
        if columns[index].drop == 0 or sum(widths[i] for i in [*kept, index]) <= room:
            kept.append(index)
    return sorted(kept)
