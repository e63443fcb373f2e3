"""Entries as files: TOML between two `+++` lines, then Markdown."""

import json
import tomllib
from functools import cache
from pathlib import Path

from asi_arch.errors import UserError
from asi_arch.records import Entry

_ENTRIES = Path(__file__).parent / "entries"
_FENCE = "+++\n"


@cache
def load_entries() -> tuple[Entry, ...]:
    """All shipped entries, ordered by id."""
    paths = sorted(_ENTRIES.glob("*.md"))
    return tuple(parse_entry(path.stem, path.read_text(encoding="utf-8")) for path in paths)


def entry(id: str) -> Entry:
    """Return the shipped entry with this identifier.

    Raises:
        UserError: there is none.
    """
    for candidate in load_entries():
        if candidate.id == id:
            return candidate
    raise UserError(f"no knowledge entry {id!r}; ids are arXiv numbers such as 2412.06464")


def has_header(text: str) -> bool:
    """Return whether a text begins as an entry does."""
    return text.startswith(_FENCE)


def parse_entry(id: str, text: str) -> Entry:
    """Read an entry.

    Raises:
        UserError: the header is missing or not valid.
    """
    parts = text.split(_FENCE, 2)
    if len(parts) != 3 or parts[0]:
        raise UserError(f"knowledge entry {id} must start with TOML between two +++ lines")
    try:
        header = tomllib.loads(parts[1])
        return Entry.model_validate({"id": id, **header, "text": parts[2].strip()})
    except ValueError as error:
        raise UserError(f"the header of knowledge entry {id} is not valid: {error}") from error


def format_entry(entry: Entry) -> str:
    """Return an entry as the text that `parse_entry` reads with the same id."""
    header = entry.model_dump(exclude={"id", "text"} if entry.source else {"id", "text", "source"})
    lines = [f"{name} = {_toml(value)}\n" for name, value in header.items()]
    return f"{_FENCE}{''.join(lines)}{_FENCE}\n{entry.text}\n"


def _toml(value: object) -> str:
    """A string, a number or a list in TOML, which has JSON's escapes and one more to make."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
