"""What the literature says: entries in our own words and a search over them."""

import re
import sqlite3
import tomllib
from contextlib import closing
from functools import cache
from pathlib import Path

from asi_arch.errors import UserError
from asi_arch.records import Entry

__all__ = ["Library", "entry", "load_entries", "parse_entry", "search"]

_ENTRIES = Path(__file__).parent / "entries"
_WEIGHTS = (10.0, 4.0, 1.0, 3.0, 1.0)  # id, title, authors, tags, text


@cache
def load_entries() -> tuple[Entry, ...]:
    """All shipped entries, ordered by id."""
    paths = sorted(_ENTRIES.glob("*.md"))
    return tuple(parse_entry(path.stem, path.read_text(encoding="utf-8")) for path in paths)


def entry(id: str) -> Entry:
    """Return the entry with this identifier.

    Raises:
        UserError: there is none.
    """
    for candidate in load_entries():
        if candidate.id == id:
            return candidate
    raise UserError(f"no knowledge entry {id!r}; ids are arXiv numbers such as 2412.06464")


def search(query: str, limit: int = 5) -> list[Entry]:
    """Return at most `limit` entries by BM25, the best first; any text is a valid query."""
    words = re.findall(r"[^\W_]+", query)
    if not words:
        return []
    match = " OR ".join(f'"{word}"' for word in words)
    entries = load_entries()
    with closing(_index(entries)) as index:
        rows = index.execute(
            f"SELECT rowid FROM entries WHERE entries MATCH ? ORDER BY bm25(entries, "
            f"{', '.join('?' * len(_WEIGHTS))}), rowid LIMIT ?",
            (match, *_WEIGHTS, max(limit, 0)),
        ).fetchall()
    return [entries[rowid] for (rowid,) in rows]


class Library:
    """Stand-in until the real one is here."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    def search(self, query: str, limit: int = 5) -> list[Entry]:
        """Return the nearest entries."""
        return search(query, limit)


def parse_entry(id: str, text: str) -> Entry:
    """Read an entry: TOML between two `+++` lines, then Markdown.

    Raises:
        UserError: the header is missing or not valid.
    """
    parts = text.split("+++\n", 2)
    if len(parts) != 3 or parts[0]:
        raise UserError(f"knowledge entry {id} must start with TOML between two +++ lines")
    try:
        header = tomllib.loads(parts[1])
        return Entry.model_validate({"id": id, **header, "text": parts[2].strip()})
    except ValueError as error:
        raise UserError(f"the header of knowledge entry {id} is not valid: {error}") from error


def _index(entries: tuple[Entry, ...]) -> sqlite3.Connection:
    index = sqlite3.connect(":memory:")
    index.execute(
        "CREATE VIRTUAL TABLE entries "
        "USING fts5(id, title, authors, tags, text, tokenize='porter unicode61')"
    )
    index.executemany(
        "INSERT INTO entries(rowid, id, title, authors, tags, text) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (row, e.id, e.title, e.authors, ", ".join(e.tags), e.text)
            for row, e in enumerate(entries)
        ],
    )
    return index
