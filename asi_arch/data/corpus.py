"""The data of a campaign: prepared elsewhere, or a byte corpus of files, split by file.

The default needs no download: the source of the Python standard library of this interpreter.
"""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asi_arch.config import Data
from asi_arch.data.check import check
from asi_arch.data.manifest import (
    SPLITS,
    Manifest,
    Part,
    Source,
    SourceFile,
    Split,
    TokenizerFacts,
    manifest_file,
    part,
    read_index,
    read_manifest,
    write_manifest,
)
from asi_arch.data.shards import write_part
from asi_arch.data.tokenizer import ByteTokenizer
from asi_arch.errors import UserError
from asi_arch.evaluate.ngrams import reference_losses
from asi_arch.records import Dataset

_NOT_LIBRARY = {"site-packages", "test", "tests", "idle_test", "__pycache__"}


@dataclass(frozen=True)
class _File:
    """A file of the corpus; a hash of its name decides, once and for all, which part it is in."""

    name: str
    split: Split
    content: bytes


def prepare(data: Data, folder: Path) -> Dataset:
    """Put the data in place and describe them; what `folder` holds already is used again.

    Data prepared elsewhere stay where they are and are checked.

    Raises:
        UserError: there are too few files to split, or prepared data are not as they should be.
    """
    if data.source == "prepared":
        manifest = read_manifest(Path(data.folder))
        check(Path(data.folder), manifest)
        return describe(manifest, Path(data.folder).name)
    if not _is_finished(folder):
        _write(data, folder)
    return describe(read_manifest(folder), data.source)


def describe(manifest: Manifest, name: str) -> Dataset:
    """Return what a campaign keeps of a manifest."""
    shards = [
        shard.sha256 for split in (manifest.train, manifest.heldout) for shard in split.shards
    ]
    return Dataset(
        name=name,
        sha256=hashlib.sha256("\n".join([manifest.tokenizer.sha256, *shards]).encode()).hexdigest(),
        tokenizer=manifest.tokenizer.name,
        vocab_size=manifest.tokenizer.vocab_size,
        train_documents=manifest.train.documents,
        heldout_documents=manifest.heldout.documents,
        train_tokens=manifest.train.tokens,
        heldout_tokens=manifest.heldout.tokens,
        heldout_bytes=manifest.heldout.bytes,
        references=manifest.references,
    )


def _is_finished(folder: Path) -> bool:
    """Whether the folder holds tokens; an earlier layout does not count and is replaced."""
    try:
        read_index(part(folder, "heldout"))
    except UserError:
        return False
    return manifest_file(folder).exists()


def _write(data: Data, folder: Path) -> None:
    root = _root(data)
    files = [_read(path, root, data.heldout_percent) for path in _files(data, root)]
    joined = {split: _join(files, split) for split in SPLITS}
    _refuse_tiny(joined["train"], joined["heldout"], root)
    parts = {split: _write_part(files, split, joined[split], folder) for split in SPLITS}
    tokenizer = ByteTokenizer()
    manifest = Manifest(
        source=Source(
            kind="stdlib" if data.source == "stdlib" else "files",
            name=data.source,
            files=tuple(SourceFile(path=file.name, bytes=len(file.content)) for file in files),
        ),
        tokenizer=TokenizerFacts(
            name=tokenizer.name,
            sha256=tokenizer.sha256,
            vocab_size=tokenizer.vocab_size,
            end=tokenizer.end,
        ),
        dtype="uint8",
        heldout_percent=data.heldout_percent,
        split_rule="sha256 of the file's name, modulo 100, below heldout_percent: held out",
        train=parts["train"],
        heldout=parts["heldout"],
        references=reference_losses(joined["train"], joined["heldout"]),
    )
    write_manifest(folder, manifest)


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


def _read(path: Path, root: Path, heldout_percent: int) -> _File:
    name = path.relative_to(root).as_posix()
    heldout = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100 < heldout_percent
    return _File(name, "heldout" if heldout else "train", path.read_bytes())


def _join(files: list[_File], split: Split) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"\n".join(f.content for f in files if f.split == split), np.uint8)


def _refuse_tiny(
    train: npt.NDArray[np.uint8],
    heldout: npt.NDArray[np.uint8],
    root: Path,
    least: int = 20_000,
) -> None:
    if min(len(train), len(heldout)) < least:
        raise UserError(
            f"{root} gives {len(train)} bytes to train on and {len(heldout)} held "
            f"out; at least {least} of each are needed, in several files"
        )


def _write_part(
    files: list[_File], split: Split, joined: npt.NDArray[np.uint8], folder: Path
) -> Part:
    """Write one part anew; the newline between two files belongs to the first."""
    lengths = [len(f.content) + 1 for f in files if f.split == split]
    lengths[-1] -= 1
    return write_part(part(folder, split), joined, ByteTokenizer.vocab_size, lengths)
