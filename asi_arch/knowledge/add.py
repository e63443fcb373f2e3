"""Put entries made of documents into a database, beside the shipped ones."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from asi_arch.errors import UserError
from asi_arch.knowledge.clean import clean, one_line
from asi_arch.knowledge.document import Document
from asi_arch.knowledge.entries import load_entries, parse_entry
from asi_arch.knowledge.extract import identifier
from asi_arch.records import Entry

if TYPE_CHECKING:
    from asi_arch.store import Store

_ID = re.compile(r"(?=.*[A-Za-z.])[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_RELATED = 6


def given_entry(document: Document) -> Entry | None:
    """Return the entry that a file with a header is, None for any other document.

    Raises:
        UserError: the header is not valid.
    """
    if not document.is_entry:
        return None
    entry = parse_entry(Path(document.name).stem, f"{document.text}\n")
    return entry.model_copy(update={"source": document.name})


def check_new(document: Document) -> None:
    """Refuse a document, before a model reads it, whose entry could not be added.

    Raises:
        UserError: it has the id of a shipped entry, or one that cannot be an id.
    """
    entry = given_entry(document)
    id = identifier(document) if entry is None else entry.id
    if not _ID.fullmatch(id):
        raise UserError(
            f"{id!r} cannot be the id of an entry: name the file with letters, digits, points and "
            "hyphens, such as my-notes.md"
        )
    refuse_shipped(id, "replaced")


def refuse_shipped(id: str, done: str) -> None:
    """Raise UserError if an entry ships with the package, and so cannot be changed."""
    for entry in load_entries():
        if entry.id == id:
            raise UserError(
                f"{id} ({entry.title}) ships with asi-arch and cannot be {done}; "
                f"see: asi-arch knowledge show {id}"
            )


def add_entry(store: "Store", entry: Entry, document: Document) -> tuple[Entry, bool]:
    """Save an entry; return it as it was saved, and whether it took the place of another."""
    known = {other.id for other in all_entries(store.knowledge())}
    tidy = entry.model_copy(
        update={
            "title": one_line(entry.title) or document.name,
            "authors": one_line(entry.authors),
            "tags": tuple(filter(None, map(one_line, entry.tags))),
            "related": entry.related or _mentioned(document.text, known - {entry.id}),
            "text": clean(entry.text).strip(),
            "source": one_line(entry.source),
        }
    )
    store.save_knowledge([tidy])
    return tidy, entry.id in known


def all_entries(saved: Iterable[Entry]) -> list[Entry]:
    """Return the shipped entries and those that only a database has, by id."""
    entries = {entry.id: entry for entry in (*saved, *load_entries())}
    return sorted(entries.values(), key=lambda entry: entry.id)


def _mentioned(text: str, known: set[str]) -> tuple[str, ...]:
    """Return the first known ids, arXiv numbers all, that a text names."""
    numbers = dict.fromkeys(re.findall(r"\d{4}\.\d{4,5}", text))
    return tuple(number for number in numbers if number in known)[:_RELATED]
