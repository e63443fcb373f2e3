"""Search: full text, and meaning where a model gives vectors, fused by rank."""

import sqlite3
import weakref
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Protocol

from asi_arch.knowledge.entries import load_entries
from asi_arch.knowledge.words import keywords, spelled
from asi_arch.records import Entry

_COLUMNS = ("id", "title", "tags", "authors", "text")
_WEIGHTS = (10.0, 4.0, 3.0, 1.0, 1.0)
_K = 60  # Cormack, Clarke and Büttcher 2009: how little the very first ranks count


class Embedder(Protocol):
    """Knows what texts mean."""

    def similarities(self, query: str, entries: Sequence[Entry]) -> list[float]:
        """Return how near each entry is to the query."""
        ...


class Library:
    """Entries and an index over them, which is built once; any text is a valid query."""

    def __init__(self, entries: Iterable[Entry], embedder: Embedder | None = None) -> None:
        self.entries = tuple(entries)
        self._embedder = embedder
        self._index = _index(self.entries)
        weakref.finalize(self, self._index.close)

    def search(self, query: str, limit: int = 5) -> list[Entry]:
        """Return at most `limit` entries, the best first.

        Without an embedder they share words with the query; with one the rest may follow.
        """
        rankings = [self.by_words(query)]
        if self._embedder is not None and query.strip():
            rankings.append(by_meaning(self._embedder, query, self.entries))
        return [self.entries[place] for place in fuse(rankings)[: max(limit, 0)]]

    def by_words(self, query: str) -> list[int]:
        """Return the places of the entries that share words with the query, by BM25."""
        match = " OR ".join(f'"{words}"' for words in keywords(query))
        if not match:
            return []
        rows = self._index.execute(
            f"SELECT rowid FROM entries WHERE entries MATCH ? "
            f"ORDER BY bm25(entries, {', '.join('?' * len(_WEIGHTS))}), rowid",
            (match, *_WEIGHTS),
        )
        return [place for (place,) in rows]


def search(query: str, limit: int = 5) -> list[Entry]:
    """Return at most `limit` shipped entries that share words with the query, the best first."""
    return _shipped().search(query, limit)


def by_meaning(embedder: Embedder, query: str, entries: Sequence[Entry]) -> list[int]:
    """Return the places of all entries, the nearest to the query first."""
    near = embedder.similarities(query, entries)
    return sorted(range(len(near)), key=lambda place: -near[place])


def fuse(rankings: Iterable[Sequence[int]]) -> list[int]:
    """Return one ranking of all that is ranked, by the sum of 1 / (60 + rank)."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, place in enumerate(ranking, start=1):
            scores[place] += 1 / (_K + rank)
    return sorted(scores, key=lambda place: (-scores[place], place))


@cache
def _shipped() -> Library:
    return Library(load_entries())


def _index(entries: Sequence[Entry]) -> sqlite3.Connection:
    # Whichever thread lets go of the library last closes the connection.
    index = sqlite3.connect(":memory:", check_same_thread=False)
    index.execute(
        f"CREATE VIRTUAL TABLE entries "
        f"USING fts5({', '.join(_COLUMNS)}, tokenize='porter unicode61')"
    )
    index.executemany(
        f"INSERT INTO entries(rowid, {', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)",
        [(place, *map(spelled, _fields(entry))) for place, entry in enumerate(entries)],
    )
    return index


def _fields(entry: Entry) -> tuple[str, ...]:
    return entry.id, entry.title, ", ".join(entry.tags), entry.authors, entry.text
