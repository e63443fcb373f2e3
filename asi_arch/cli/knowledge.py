"""`asi-arch knowledge`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.options import DEFAULT_DB, Agents, Db, Debug, Json
from asi_arch.cli.output import NONE, Column, count, out, print_json, table
from asi_arch.cli.signals import run_until_signal
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
def show(
    id: Id,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the file, to be edited and added again.")
    ] = False,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show an entry: title, authors, tags, related entries, text.

    Example: asi-arch knowledge show 2412.06464
    """
    from asi_arch.knowledge import format_entry

    with _entries(db) as (entries, _):
        known = {entry.id: entry for entry in entries}
    if id not in known:
        raise UserError(f"there is no knowledge entry {id!r}; see: asi-arch knowledge list")
    if json:
        print_json(known[id])
    elif markdown:
        out().out(format_entry(known[id]), highlight=False, end="")
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
        list[Path], typer.Argument(metavar="FILE", help="PDF, Markdown or plain text.")
    ],
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Let this model read them and write the entries.")
    ] = "",
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="Backend of the model, openai if not given.")
    ] = "",
    base_url: Annotated[str, typer.Option(metavar="URL", help="Server of the model.")] = "",
    agents: Agents = "",
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Add papers or notes to the knowledge base of a database.

    Campaigns in that database find them. Without --model an entry holds the abstract and the most
    telling sentences of a document; with it, what the model writes of it. A Markdown file with the
    header of an entry is taken as it is.

    Example: asi-arch knowledge add paper.pdf notes.md --model small
    """
    from asi_arch.knowledge.add import add_entry, check_new
    from asi_arch.knowledge.distill import BriefLedger
    from asi_arch.knowledge.document import read_document
    from asi_arch.store import Store

    documents = [read_document(file) for file in files]
    for document in documents:
        check_new(document)
    ledger = BriefLedger()
    write = _writer(_given(model, backend, base_url), ledger, agents)
    added = []
    with Store.open(db) as store:
        for document in documents:
            entry, replaced = add_entry(store, write(document), document)
            added.append((entry, replaced))
            if not json:
                _print_added(entry, replaced)
    if json:
        entries = [{**entry.model_dump(), "replaced": replaced} for entry, replaced in added]
        print_json({"entries": entries, "tokens": ledger.tokens})
    elif ledger.tokens:
        out().print(Text(f"the model used {count(ledger.tokens)} tokens"))


@knowledge.command()
def remove(id: Id, db: Db = DEFAULT_DB, json: Json = False, debug: Debug = False) -> None:
    """Take an added entry out of the knowledge base of a database.

    Example: asi-arch knowledge remove my-notes
    """
    from asi_arch.knowledge.add import refuse_shipped
    from asi_arch.store import Store

    refuse_shipped(id, "removed")
    with Store.open(db, create=False) as store:
        store.remove_knowledge(id)
    if json:
        print_json({"removed": id})
    else:
        out().print(Text(f"removed {id}"))


@contextmanager
def _entries(db: str) -> "Iterator[tuple[list[Entry], Store | None]]":
    """Open the database, if there is one; a database that was named must exist."""
    from asi_arch.knowledge.add import all_entries
    from asi_arch.store import Store

    if db == DEFAULT_DB and not Path(db).exists():
        yield all_entries(()), None
        return
    with Store.open(db, create=False) as store:
        yield all_entries(store.knowledge()), store


def _embedder(model: str, url: str, store: "Store | None") -> "Embedder | None":
    if not model:
        if url:
            raise UserError(f"--embedding-url {url} needs a model; add --embedding-model NAME")
        return None
    from asi_arch.knowledge.embed import OpenAIEmbedder

    return OpenAIEmbedder(model, url, store)


def _given(model: str, backend: str, base_url: str) -> dict[str, str]:
    """Return the settings that were given, nothing if no model shall read."""
    values = {"model": model, "backend": backend, "base_url": base_url}
    return {name: value for name, value in values.items() if value}


def _writer(
    given: dict[str, str], ledger: "BriefLedger", agents: str
) -> "Callable[[Document], Entry]":
    """Return what makes an entry of a document: a model if there is one, else its form."""
    from asi_arch.knowledge.add import given_entry
    from asi_arch.knowledge.extract import extract_entry

    if not given:
        return lambda document: given_entry(document) or extract_entry(document)
    from asi_arch.backends import make_backend
    from asi_arch.knowledge.distill import distill_entry
    from asi_arch.team.llm import card_folder

    settings, folder = RoleSettings.model_validate(given), card_folder(agents)
    backend = make_backend(settings.backend, settings)

    def write(document: "Document") -> Entry:
        ready = given_entry(document)
        return ready or run_until_signal(distill_entry(document, backend, settings, ledger, folder))

    return write


def _matches(entry: Entry, tag: str, year: int | None) -> bool:
    tags = {known.lower() for known in entry.tags}
    return (not tag or tag in tags) and year in (None, entry.year)


def _print_table(entries: list[Entry]) -> None:
    columns = [
        Column[Entry]("id", lambda entry: entry.id, left=True),
        Column[Entry]("year", lambda entry: _year(entry), 1),
        Column[Entry]("title", lambda entry: entry.title, left=True),
        Column[Entry]("tags", lambda entry: ", ".join(entry.tags) or NONE, 3, left=True),
        Column[Entry]("added from", lambda entry: entry.source or NONE, 2, left=True),
    ]
    if not any(entry.source for entry in entries):
        columns.pop()
    console = out()
    console.print(table(columns, entries, console.width))


def _print_added(entry: Entry, replaced: bool) -> None:
    done = "replaced" if replaced else "added"
    out().print(Text(f"{done} {entry.id}: {entry.title} (from {entry.source})"))


def _print_entry(entry: Entry, known: dict[str, Entry], console: Console) -> None:
    console.print(Text(f"{entry.id}  {entry.title}", "bold"))
    for name, value in (
        ("authors", entry.authors),
        ("year", _year(entry)),
        ("tags", ", ".join(entry.tags)),
        ("added from", entry.source),
    ):
        if value:
            console.print(Text.assemble((f"{name}: ", "dim"), value))
    for id in entry.related:
        title = f" {known[id].title}" if id in known else ""
        console.print(Text.assemble(("related: ", "dim"), f"{id}{title}"))
    from asi_arch.knowledge.clean import paragraphs

    for part in paragraphs(entry.text):
        console.print()
        console.print(_set(part))


def _set(paragraph: str) -> Text:
    """Return a paragraph for the terminal: one that begins with a bold word flows."""
    heading, bold, rest = paragraph.removeprefix("**").partition("**")
    if not (paragraph.startswith("**") and bold):
        return Text(paragraph)
    return Text.assemble((heading, "bold"), " ", " ".join(rest.split()))


def _year(entry: Entry) -> str:
    return str(entry.year) if entry.year else NONE
