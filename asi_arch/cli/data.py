"""`asi-arch data`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from asi_arch.cli.options import Debug, Json
from asi_arch.cli.output import Column, count, err, out, print_json, table
from asi_arch.errors import UserError

if TYPE_CHECKING:
    from asi_arch.data.manifest import Manifest, Source
    from asi_arch.data.request import Request

data = typer.Typer(
    help="Turn text into tokens to train on, and look at them.", no_args_is_help=True
)


@data.command()
def prepare(
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to make.")],
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="Data set of Hugging Face, or a folder of one.")
    ] = "",
    name: Annotated[str, typer.Option(help="Configuration of the data set.")] = "",
    revision: Annotated[str, typer.Option(help="Commit, branch or tag of the data set.")] = "",
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "train",
    files: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Parquet, JSONL or text files, in quotes; repeatable."),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Where the text is in a row.")] = "text",
    tokenizer: Annotated[
        str,
        typer.Option(metavar="NAME", help="'bytes', a tokenizer.json, or a name on Hugging Face."),
    ] = "bytes",
    tokens: Annotated[
        float | None,
        typer.Option(help="Stop at so many, held out ones included, with a whole document."),
    ] = None,
    heldout_percent: Annotated[float, typer.Option(help="Share of documents held out.")] = 1.0,
    shard_tokens: Annotated[float, typer.Option(help="Tokens in a file.")] = 2**28,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; no result depends on it.")] = 1,
    benchmarks: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="JSONL or text with an item a line; documents that share 13 words in a row with "
            "one are reported; repeatable.",
        ),
    ] = None,
    drop_overlaps: Annotated[
        bool, typer.Option("--drop-overlaps", help="Leave those documents out.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Turn text into shards of token ids, a part of it held out.

    A preparation that was killed goes on when the same command is run again, and ends with the
    same bytes. Progress goes to standard error.

    Example: asi-arch data prepare --files 'corpus/*.parquet' --tokenizer ./tok.json --out data/mine
    """
    from asi_arch.data.preparation import prepare_folder

    request = _request(
        source=_source(dataset, name, revision, split, files or []),
        text_column=text_column,
        tokenizer=_settled(tokenizer),
        tokens=_whole(tokens, "--tokens"),
        heldout_percent=_percent(heldout_percent),
        shard_tokens=_whole(shard_tokens, "--shard-tokens"),
        benchmarks=_files(map(str, benchmarks or [])),
        drop_overlaps=drop_overlaps,
    )
    with Progress(console=err(), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("tokens", total=request.tokens)
        prepared = prepare_folder(
            request,
            out_,
            jobs,
            lambda n: progress.update(task, completed=n, description=f"{count(n)} tokens"),
        )
    if not prepared.fresh:
        err().print(Text(f"{out_} is finished already; nothing was done"), soft_wrap=True)
    _show(out_, prepared.manifest, json)


@data.command()
def info(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `data prepare` made.")],
    check: Annotated[bool, typer.Option("--check", help="Compare all checksums too.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what a prepared folder holds.

    Exit code 2: it is none, or with --check: a shard is corrupted or the tokenizer does not fit.

    Example: asi-arch data info data/mine --check
    """
    from asi_arch.data.check import check as check_shards
    from asi_arch.data.manifest import read_manifest

    manifest = read_manifest(folder)
    if check:
        check_shards(folder, manifest)
    _show(folder, manifest, json)


def _request(**values: Any) -> "Request":
    from asi_arch.data.request import Request

    return Request(**values)


def _source(dataset: str, name: str, revision: str, split: str, files: list[str]) -> "Source":
    from asi_arch.data.manifest import Source

    if bool(dataset) == bool(files):
        raise UserError("give either --dataset NAME or --files GLOB, as in --files 'corpus/*.txt'")
    if files:
        return Source(kind="files", files=_files(files))
    return Source(
        kind="huggingface", name=_settled(dataset), config=name, split=split, revision=revision
    )


def _files(patterns: Any) -> Any:
    from asi_arch.data.sources import find_files

    return find_files(patterns)


def _settled(name: str) -> str:
    """Return a path that is there as an absolute one, any other name as it is."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() and name != "bytes" else name


def _whole(value: float | None, option: str) -> int | None:
    if value is None:
        return None
    if not 1 <= value < 2**53:
        raise UserError(f"{option} {value:g} must be at least 1, as in {option} 2e9")
    return int(value)


def _percent(value: float) -> float:
    if not 0 < value < 100:
        raise UserError(f"--heldout-percent {value:g} must be above 0 and below 100")
    return value


def _show(folder: Path, manifest: "Manifest", json: bool) -> None:
    if json:
        print_json({"folder": str(folder), **manifest.model_dump(mode="json")})
        return
    console = out()
    console.print(_facts(manifest))
    console.print(_parts(manifest, console.width))
    _print_overlaps(manifest, console)


def _facts(manifest: "Manifest") -> Table:
    source, tokenizer = manifest.source, manifest.tokenizer
    named = [source.name, source.config, source.split if source.config or source.name else ""]
    where = " ".join(filter(None, named)) if source.kind == "huggingface" else ""
    rows = [
        ("source", f"{source.kind} {where or f'{count(len(source.files))} files'}"),
        ("revision", source.revision),
        ("tokenizer", f"{tokenizer.name}, {count(tokenizer.vocab_size)} ids, {manifest.dtype}"),
        ("held out", f"{manifest.heldout_percent:g} %: {manifest.split_rule}"),
    ]
    grid = Table.grid(padding=(0, 2))
    for key, value in rows:
        if value:
            grid.add_row(key, Text(value))
    return grid


def _parts(manifest: "Manifest", width: int) -> Any:
    rows = [("train", manifest.train), ("heldout", manifest.heldout)]
    columns = [
        Column[Any]("part", lambda row: row[0], left=True),
        Column[Any]("documents", lambda row: count(row[1].documents)),
        Column[Any]("tokens", lambda row: count(row[1].tokens)),
        Column[Any]("bytes", lambda row: count(row[1].bytes)),
        Column[Any]("bytes/token", lambda row: f"{row[1].bytes / row[1].tokens:.2f}", 1),
        Column[Any]("shards", lambda row: count(len(row[1].shards)), 2),
    ]
    return table(columns, rows, width)


def _print_overlaps(manifest: "Manifest", console: Console, most: int = 20) -> None:
    overlaps = manifest.overlaps
    if not overlaps.benchmarks:
        return
    names = ", ".join(file.path for file in overlaps.benchmarks)
    fate = (", left out" if overlaps.dropped else ", kept") if overlaps.documents else ""
    console.print(Text(f"documents that overlap with {names}: {count(overlaps.documents)}{fate}"))
    columns = [
        Column[Any]("document", lambda one: count(one.document)),
        Column[Any]("part", lambda one: one.split, left=True),
        Column[Any]("benchmark", lambda one: one.benchmark, left=True),
        Column[Any]("item", lambda one: str(one.item)),
        Column[Any]("shared runs", lambda one: str(one.shared)),
    ]
    if overlaps.found:
        console.print(table(columns, overlaps.found[:most], console.width))
