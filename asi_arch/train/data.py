"""The text everyone trains on: files as bytes, one byte a token, split by file.

The default needs no download: the source of the Python standard library of this interpreter.
"""

import hashlib
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from asi_arch.config import Data
from asi_arch.errors import UserError
from asi_arch.evaluate.ngrams import reference_losses
from asi_arch.jobs.paths import write_whole
from asi_arch.records import Dataset, Document

Tokens = npt.NDArray[np.uint8]

VOCAB_SIZE = 256
_CLOSING = 32
_NOT_LIBRARY = {"site-packages", "test", "tests", "idle_test", "__pycache__"}


@dataclass(frozen=True)
class Corpus:
    """The two parts of a data set as flat arrays of tokens."""

    train: Tokens
    heldout: Tokens


def prepare(data: Data, folder: Path) -> Dataset:
    """Write both parts and the manifest into `folder`; what is there already is used again.

    Raises:
        UserError: there are too few files to split.
    """
    manifest = folder / "manifest.json"
    if manifest.exists():
        return Dataset.model_validate_json(manifest.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    root = _root(data)
    documents = [_document(path, root, data.heldout_percent) for path in _files(data, root)]
    corpus = Corpus(_join(documents, root, "train"), _join(documents, root, "heldout"))
    _refuse_tiny(corpus, root)
    corpus.train.tofile(part(folder, "train"))
    corpus.heldout.tofile(part(folder, "heldout"))
    dataset = _describe(data, documents, corpus)
    write_whole(manifest, dataset.model_dump_json(indent=1))
    return dataset


def part(folder: Path, split: Literal["train", "heldout"]) -> Path:
    """Return the file of one part of the data set in `folder`."""
    return folder / f"{split}.bin"


def load(file: Path) -> Tokens:
    """Map one part of a data set into memory."""
    return np.memmap(file, np.uint8, "r")


def batches(
    tokens: Tokens, steps: int, batch_size: int, length: int, seed: int
) -> Iterator[Tokens]:
    """Yield `steps` arrays [batch_size, length + 1] of consecutive tokens at random places.

    The same seed gives the same batches in the same order, whatever is trained on them.
    """
    places = np.random.default_rng(seed).integers(len(tokens) - length, size=(steps, batch_size))
    for starts in places:
        yield np.stack([tokens[start : start + length + 1] for start in starts])


def windows(tokens: Tokens, count: int, length: int) -> Tokens:
    """Return [count, length + 1] tokens, evenly spread, the same for every run."""
    starts = np.linspace(0, len(tokens) - length - 1, count).astype(np.int64)
    return np.stack([tokens[start : start + length + 1] for start in starts])


def closing_windows(train: Tokens, length: int) -> Tokens:
    """Return the windows of the training text whose loss a training job reports at its end."""
    return windows(train, _CLOSING, length)


def _root(data: Data) -> Path:
    if data.source == "stdlib":
        return Path(sysconfig.get_paths()["stdlib"])
    root = Path(data.files).expanduser()
    if not root.is_dir():
        raise UserError(f"data.files = {data.files!r} is not a folder; name one with text files")
    return root.resolve()


def _files(data: Data, root: Path) -> list[Path]:
    pattern = "*.py" if data.source == "stdlib" else "*"
    skip = _NOT_LIBRARY if data.source == "stdlib" else set()
    found = (path for path in root.rglob(pattern) if path.is_file())
    return sorted(path for path in found if not skip & set(path.relative_to(root).parts))


def _document(path: Path, root: Path, heldout_percent: int) -> Document:
    """Describe a file; a hash of its name decides, once and for all, which part it is in."""
    name, content = path.relative_to(root).as_posix(), path.read_bytes()
    heldout = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100 < heldout_percent
    return Document(
        path=name,
        split="heldout" if heldout else "train",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _join(documents: list[Document], root: Path, split: str) -> Tokens:
    parts = [(root / doc.path).read_bytes() for doc in documents if doc.split == split]
    return np.frombuffer(b"\n".join(parts), np.uint8)


def _refuse_tiny(corpus: Corpus, root: Path, least: int = 20_000) -> None:
    if min(len(corpus.train), len(corpus.heldout)) < least:
        raise UserError(
            f"{root} gives {len(corpus.train)} bytes to train on and {len(corpus.heldout)} held "
            f"out; at least {least} of each are needed, in several files"
        )


def _describe(data: Data, documents: list[Document], corpus: Corpus) -> Dataset:
    listing = "\n".join(f"{doc.sha256} {doc.split} {doc.path}" for doc in documents)
    return Dataset(
        name=data.source,
        sha256=hashlib.sha256(listing.encode()).hexdigest(),
        train_tokens=len(corpus.train),
        heldout_tokens=len(corpus.heldout),
        documents=tuple(documents),
        references=reference_losses(corpus.train, corpus.heldout),
    )
