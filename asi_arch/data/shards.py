"""Write one part of a prepared folder so that a killed process can go on where it stood.

What a checkpoint has seen is on the disk; what came after it is cut off when writing goes on.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from io import BufferedWriter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asi_arch.data.manifest import DOCUMENTS, Dtype, Part, Shard, smallest_dtype, write_index
from asi_arch.data.tokens import Ids
from asi_arch.errors import UserError

SHARD_TOKENS = 2**28
_STARTS = "documents.part"


class PartWriter:
    """Writes ids into shards of `shard_tokens`, and where each document starts."""

    def __init__(self, folder: Path, dtype: Dtype, shard_tokens: int, done: Part) -> None:
        """Go on after `done`.

        Raises:
            UserError: the folder holds less than that.
        """
        folder.mkdir(exist_ok=True)
        self._folder, self._shard_tokens = folder, shard_tokens
        self._name: Dtype = dtype
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self.done = done
        self._shards = list(done.shards)
        self._open = done.tokens - sum(shard.tokens for shard in self._shards)
        self._drop_later()
        self._file = _cut(self._beside, self._open * self._dtype.itemsize)
        self._digest = _digest(self._beside)
        self._starts = _cut(folder / _STARTS, done.documents * 8)

    def add(self, ids: Ids, lengths: npt.NDArray[np.int64], size: int) -> None:
        """Add documents that are `ids` in a row; `size` is how many bytes of text they are."""
        starts = self.done.tokens + np.cumsum(lengths) - lengths
        self._starts.write(starts.astype("<i8").tobytes())
        self.done = Part(
            documents=self.done.documents + len(lengths),
            tokens=self.done.tokens + len(ids),
            bytes=self.done.bytes + size,
        )
        at = 0
        while at < len(ids):
            room = self._shard_tokens - self._open
            self._write(ids[at : at + room])
            at += room

    def checkpoint(self) -> Part:
        """Put all of it on the disk and return what is there."""
        for file in (self._file, self._starts):
            file.flush()
            os.fsync(file.fileno())
        return self.done.model_copy(update={"shards": tuple(self._shards)})

    def finish(self, vocab_size: int) -> Part:
        """Close the last shard, write the index and return what the part holds.

        Until `tidy`, writing can still go on from an earlier checkpoint.
        """
        if self._open:
            self._next_shard()
        done = self.checkpoint()
        self.close()
        np.save(self._folder / DOCUMENTS, np.fromfile(self._folder / _STARTS, "<i8"))
        write_index(self._folder, self._name, vocab_size, done)
        return done

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
        self._starts.close()

    @property
    def _beside(self) -> Path:
        """The file of the shard that is not full yet."""
        return self._folder / f"{_shard_name(len(self._shards))}.part"

    def _write(self, ids: Ids) -> None:
        content = ids.astype(self._dtype).tobytes()
        self._file.write(content)
        self._digest.update(content)
        self._open += len(ids)
        if self._open == self._shard_tokens:
            self._next_shard()

    def _next_shard(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name = _shard_name(len(self._shards))
        self._beside.replace(self._folder / name)
        shard = Shard(file=name, tokens=self._open, sha256=self._digest.hexdigest())
        self._shards.append(shard)
        self._open, self._digest = 0, hashlib.sha256()
        self._file = self._beside.open("wb")

    def _drop_later(self) -> None:
        """Remove shards that no checkpoint has seen; the first of them began before it."""
        first = self._folder / _shard_name(len(self._shards))
        if first.exists():
            first.replace(self._beside)
        kept = {shard.file for shard in self._shards} | {self._beside.name, _STARTS}
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink()


def write_part(
    folder: Path,
    ids: Ids,
    vocab_size: int,
    lengths: Sequence[int] | None = None,
    shard_tokens: int = SHARD_TOKENS,
) -> Part:
    """Write a whole part anew: documents of so many ids, one if not given; bytes if they are."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    writer = PartWriter(folder, smallest_dtype(vocab_size), shard_tokens, Part())
    writer.add(ids, np.array([len(ids)] if lengths is None else lengths, np.int64), len(ids))
    written = writer.finish(vocab_size)
    tidy(folder)
    return written


def tidy(folder: Path) -> None:
    """Remove what only going on would need."""
    for path in folder.glob("*.part"):
        path.unlink()


def _shard_name(number: int) -> str:
    return f"{number:05}.bin"


def _cut(path: Path, size: int) -> BufferedWriter:
    """Open a file to go on after its first `size` bytes."""
    path.touch()
    if path.stat().st_size < size:
        raise UserError(f"{path} was cut off; remove {path.parent.parent} and prepare it anew")
    os.truncate(path, size)
    return path.open("ab")


def _digest(path: Path) -> "hashlib._Hash":
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")
