"""Where documents come from: files of any kind, or a data set of Hugging Face, one after another.

Reading can begin at any place, which is a file and how many of its lines or rows come before.
"""

import glob
import gzip
import io
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from asi_arch.data.manifest import Source, SourceFile
from asi_arch.errors import MissingExtra, UserError
from asi_arch.records import Record

JSON_LINES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_ROWS = 512


class Place(Record):
    """Where reading goes on: the number of the file, and of the line or row in it, from 0."""

    file: int = 0
    item: int = 0


class Document(NamedTuple):
    """A text, and where the one after it begins."""

    text: str
    file: int
    item: int


def find_files(patterns: Iterable[str]) -> tuple[SourceFile, ...]:
    """Return the files that glob patterns match, by absolute path, each once.

    Raises:
        UserError: a pattern matches none.
    """
    found: set[str] = set()
    for pattern in patterns:
        matches = glob.glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207
        files = {os.path.abspath(path) for path in matches if Path(path).is_file()}  # noqa: PTH100
        if not files:
            raise UserError(f"no file matches {pattern!r}; name files or a pattern in quotes")
        found |= files
    return tuple(SourceFile(path=path, bytes=Path(path).stat().st_size) for path in sorted(found))


def read_documents(source: Source, column: str, start: Place) -> Iterator[Document]:
    """Yield the documents of a source from `start` on; those without text are left out.

    Raises:
        UserError: a file or data set cannot be read, or has no such column.
    """
    if source.kind == "huggingface":
        yield from _from_hub(source, column, start.item)
        return
    for number in range(start.file, len(source.files)):
        first = start.item if number == start.file else 0
        path = Path(source.files[number].path)
        for item, text in _explained(path, _open(path, column, first)):
            yield Document(text, number, item)


def _open(path: Path, column: str, first: int) -> Iterator[tuple[int, str]]:
    if path.suffix == ".parquet":
        return _from_parquet(path, column, first)
    if path.name.endswith(JSON_LINES):
        return _from_lines(path, column, first)
    return _from_text(path, first)


def _explained(path: Path, texts: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    try:
        yield from texts
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}; mend it or leave it out") from error


def _from_text(path: Path, first: int) -> Iterator[tuple[int, str]]:
    """A file is one document."""
    if first == 0:
        with open_binary(path) as file:
            text = file.read().decode(errors="replace")
        if text:
            yield 1, text


def _from_lines(path: Path, column: str, first: int) -> Iterator[tuple[int, str]]:
    with open_binary(path) as file:
        for number, line in enumerate(itertools.islice(file, first, None), start=first + 1):
            if line.strip():
                text = _text_of(_object(line, path, number), column, f"{path}, line {number}")
                if text:
                    yield number, text


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UserError(f"{path}, line {number} is not valid JSON: {error}; mend it") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}, line {number} is no JSON object; mend it or leave it out")
    return value


def _from_parquet(path: Path, column: str, first: int) -> Iterator[tuple[int, str]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("pyarrow", "data") from error
    try:
        with pq.ParquetFile(path) as file:
            _require_column(column, file.schema_arrow.names, str(path))
            yield from _rows(file, path, column, first)
    except pa.ArrowException as error:
        raise UserError(f"cannot read {path}: {error}; mend it or leave it out") from error


def _rows(file: Any, path: Path, column: str, first: int) -> Iterator[tuple[int, str]]:
    begin = 0
    for group in range(file.num_row_groups):
        end = begin + file.metadata.row_group(group).num_rows
        if end > first:
            for batch in file.iter_batches(_ROWS, row_groups=[group], columns=[column]):
                for item, value in enumerate(batch.column(0).to_pylist(), start=begin + 1):
                    text = _string(value, column, f"{path}, row {item}") if item > first else ""
                    if text:
                        yield item, text
                begin += len(batch)
        begin = end


def _from_hub(source: Source, column: str, first: int) -> Iterator[Document]:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "data") from error
    try:
        rows = datasets.load_dataset(
            source.name,
            source.config or None,
            split=source.split,
            revision=source.revision or None,
            streaming=True,
        )
        for item, row in enumerate(rows.skip(first), start=first + 1):
            text = _text_of(row, column, f"{source.name}, row {item}")
            if text:
                yield Document(text, 0, item)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"cannot read the dataset {source.name!r}: {' '.join(str(error).split())}; check its "
            "name, --name, --split and the network, then run the same command again"
        ) from error


def hub_revision(name: str, revision: str) -> str:
    """Return the commit that a revision of a data set stands for now, none for a local folder.

    Raises:
        UserError: Hugging Face cannot be asked, or knows no such data set.
    """
    if Path(name).is_dir():
        return revision
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtra("datasets", "data") from error
    try:
        return HfApi().dataset_info(name, revision=revision or None).sha or revision
    except Exception as error:
        raise UserError(
            f"cannot find the dataset {name!r} on Hugging Face: {' '.join(str(error).split())}; "
            "check its name, --revision and the network"
        ) from error


def _text_of(row: dict[str, Any], column: str, where: str) -> str:
    if column not in row:
        _require_column(column, list(row), where)
    return _string(row[column], column, where)


def _require_column(column: str, columns: list[str], where: str) -> None:
    if column not in columns:
        raise UserError(
            f"{where} has no column {column!r}; give --text-column one of: {', '.join(columns)}"
        )


def _string(value: Any, column: str, where: str) -> str:
    """Return a text, an empty one for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _refuse(value, column, where)


def _refuse(value: Any, column: str, where: str) -> NoReturn:
    raise UserError(
        f"{where}: column {column!r} holds {type(value).__name__}, not text; give --text-column"
    )


def open_binary(path: Path) -> IO[bytes]:
    """Open a file to read, unpacked if its name ends with .gz."""
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.open(path, "rb"))
    return path.open("rb")
