"""What a prepared folder says of itself: one manifest, and an index in each of its two parts."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from asi_arch.errors import UserError
from asi_arch.jobs.paths import brief, write_whole
from asi_arch.records import Record

Split = Literal["train", "heldout"]
Dtype = Literal["uint8", "uint16", "uint32"]

SPLITS: tuple[Split, Split] = ("train", "heldout")
INDEX, DOCUMENTS = "index.json", "documents.npy"


class SourceFile(Record):
    """A file that was read."""

    path: str
    bytes: int


class Source(Record):
    """Where the text comes from."""

    kind: Literal["stdlib", "files", "huggingface"]
    name: str = ""
    config: str = ""
    split: str = ""
    revision: str = ""
    files: tuple[SourceFile, ...] = ()


class TokenizerFacts(Record):
    """Which tokenizer made the ids; `end` is the id that ends a document."""

    name: str
    sha256: str
    vocab_size: int
    end: int | None


class Shard(Record):
    """A file of token ids."""

    file: str
    tokens: int
    sha256: str


class Part(Record):
    """One side of the split; `bytes` are those of its text, without what ends a document."""

    documents: int = 0
    tokens: int = 0
    bytes: int = 0
    shards: tuple[Shard, ...] = ()


class Overlap(Record):
    """A document that shares runs of 13 words with an item of a benchmark.

    `document` counts what was read from 0, `item` the lines of the file `benchmark` from 1;
    `shared` is how many different runs of 13 words both have.
    """

    document: int
    split: Split
    benchmark: str
    item: int
    shared: int


class Overlaps(Record):
    """How many documents overlap with benchmarks, whether they were left out, and the first."""

    benchmarks: tuple[SourceFile, ...] = ()
    documents: int = 0
    dropped: bool = False
    found: tuple[Overlap, ...] = ()


class Manifest(Record):
    """All that is known of a prepared folder; `references` are losses of trivial models."""

    version: Literal[1] = 1
    source: Source
    text_column: str = ""
    tokenizer: TokenizerFacts
    dtype: Dtype
    heldout_percent: float
    split_rule: str
    train: Part
    heldout: Part
    overlaps: Overlaps = Overlaps()
    references: dict[str, float] = {}


class Index(Record):
    """What reading one part takes: tokens by name of shard, in order."""

    dtype: Dtype
    vocab_size: int = Field(ge=1)
    shards: dict[str, int]


def part(folder: Path, split: Split) -> Path:
    """Return the folder of one part of the data in `folder`."""
    return folder / split


def manifest_file(folder: Path) -> Path:
    """Return where the manifest of `folder` is; it is written last."""
    return folder / "manifest.json"


def read_manifest(folder: Path) -> Manifest:
    """Return what a folder holds.

    Raises:
        UserError: it is not a prepared folder, or not a finished one.
    """
    path = manifest_file(folder)
    try:
        return Manifest.model_validate_json(path.read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"{folder} is no prepared data: it has no manifest.json; make one with: "
            f"asi-arch data prepare --out {folder}"
        ) from error
    except ValidationError as error:
        raise UserError(f"{path} cannot be read: {brief(error)}; prepare the data anew") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which makes the folder a finished one."""
    write_whole(manifest_file(folder), manifest.model_dump_json(indent=1) + "\n")


def read_index(folder: Path) -> Index:
    """Return the index of one part.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = folder / INDEX
    try:
        return Index.model_validate_json(path.read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{folder} holds no tokens: it has no {INDEX}; prepare the data") from error
    except ValidationError as error:
        raise UserError(f"{path} cannot be read: {brief(error)}; prepare the data anew") from error


def write_index(folder: Path, dtype: Dtype, vocab_size: int, part: Part) -> None:
    """Write the index of one part."""
    shards = {shard.file: shard.tokens for shard in part.shards}
    index = Index(dtype=dtype, vocab_size=vocab_size, shards=shards)
    write_whole(folder / INDEX, index.model_dump_json(indent=1) + "\n")


def smallest_dtype(vocab_size: int) -> Dtype:
    """Return the narrowest type that holds every id."""
    if vocab_size <= 2**8:
        return "uint8"
    return "uint16" if vocab_size <= 2**16 else "uint32"
