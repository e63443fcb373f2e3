"""`asi-arch knowledge`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.options import DEFAULT_DB, Db, Debug, Json
from asi_arch.cli.output import NONE, Column, count, out, print_json, table
from asi_arch.errors import UserError
from asi_arch.records import Entry, RoleSettings

if TYPE_CHECKING:
    from asi_arch.knowledge.distill import BriefLedger
    from asi_arch.knowledge.document import Document
    from asi_arch.knowledge.library import Embedder
    from asi_arch.store import Store

knowledge = typer.Typer(
    help="Search what the literature says, and add papers and notes to it.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of an entry, such as 2412.06464.")]


@knowledge.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in plain words.")],
    limit: Annotated[int, typer.Option(min=1, help="How many entries at most.")] = 5,
    embedding_model: Annotated[
        str, typer.Option(metavar="NAME", help="Search by meaning too, with this model's vectors.")
    ] = "",
    embedding_url: Annotated[
        str, typer.Option(metavar="URL", help="Server of the embedding model.")
    ] = "",
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Find the entries nearest to a question.

    By the words they share with it; with an embedding model by meaning as well. Vectors are kept in
    the database, if there is one.

    Example: asi-arch knowledge search "decay gating" --limit 3
    """
    from asi_arch.knowledge.library import Library

    with _entries(db) as (entries, store):
        embedder = _embedder(embedding_model, embedding_url, store)
        found = Library(entries, embedder).search(query, limit)
    if json:
        print_json({"query": query, "entries": found})
    elif found:
        _print_table(found)
    else:
        out().print(Text("nothing found; try other words, or see: asi-arch knowledge list"))


@knowledge.command()
def show(id: Id, db: Db = DEFAULT_DB, json: Json = False, debug: Debug = False) -> None:
    """Show an entry: title, authors, tags, related entries, text.

    Example: asi-arch knowledge show 2412.06464
    """
    with _entries(db) as (entries, _):
        known = {entry.id: entry for entry in entries}
    if id not in known:
        raise UserError(f"there is no knowledge entry {id!r}; see: asi-arch knowledge list")
    if json:
        print_json(known[id])
    else:
        _print_entry(known[id], known, out())


@knowledge.command(name="list")
def list_(
    tag: Annotated[str, typer.Option(help="Only entries with this tag.")] = "",
    year: Annotated[int | None, typer.Option(help="Only entries of this year.")] = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the entries, oldest number first, added ones with their file.

    Example: asi-arch knowledge list --tag "delta rule" --year 2024
    """
    with _entries(db) as (entries, _):
        tags = {known.lower() for entry in entries for known in entry.tags}
        kept = [entry for entry in entries if _matches(entry, tag.lower(), year)]
    if tag and tag.lower() not in tags:
        near = ", ".join(sorted(known for known in tags if tag.lower() in known)) or "none"
        raise UserError(f"no entry has the tag {tag!r}; tags like it: {near}")
    if json:
        print_json({"entries": kept})
    else:
        _print_table(kept)
        out().print(Text(f"{count(len(kept))} of {count(len(entries))} entries"))


@knowledge.command()
def add(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="PDF, Markdown or plain text.")
    ],
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Let this model read them and write the entries.")
    ] = "",
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="Backend of the model, openai if not given.")
    ] = "",
    base_url: Annotated[str, typer.Option(metavar="URL", help="Server of the model.")] = "",
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Add papers or notes to the knowledge base of a database.

    Campaigns in that database find them. Without a model an entry holds the abstract and the most
    telling sentences. A Markdown file with the header of an entry is taken as it is.

    Example: asi-arch knowledge add paper.pdf notes.md --model small --base-url http://localhost:8000/v1
    """
    from asi_arch.knowledge.add import add_entry, check_new
    from asi_arch.knowledge.document import read_document
    from asi_arch.store import Store

    documents = [read_document(file) for file in files]
    for document in documents:
        check_new(document)
    writer = _writer(model, backend, base_url)
    added = []
    with Store.open(db) as store:
        for document in documents:
            entry, replaced = add_entry(store, writer.entry(document), document)
            added.append({"id": entry.id, "title": entry.title, "source": entry.source})
            ...
