"""How training reads prepared tokens: the same windows for everyone."""

import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from asi_arch.data.manifest import Dtype, read_index
from asi_arch.errors import UserError

Ids = npt.NDArray[np.integer[Any]]

VOCAB_SIZE = 256
"""Of byte corpora."""

_CLOSING = 32
_READ_AS: dict[Dtype, type[np.integer[Any]]] = {
    "uint8": np.uint8,
    "uint16": np.int32,
    "uint32": np.int64,
}
"""The narrowest types that PyTorch computes with."""


class Stretch(Protocol):
    """Token ids in a row: an array of NumPy, or a file."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, where: slice, /) -> Any:
        """Return some of them as an array."""


class Tokens:
    """All token ids of one part as one sequence, whatever shards they lie in."""

    def __init__(self, shards: Sequence[Stretch], vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self._shards = shards
        self._ends = np.cumsum([len(shard) for shard in shards], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, where: slice) -> Ids:
        """Return the ids of a slice without a step, also across shards."""
        start, stop, _ = where.indices(len(self))
        first = int(np.searchsorted(self._ends, start, "right"))
        parts = []
        while start < stop:
            end, shard = int(self._ends[first]), self._shards[first]
            begin = end - len(shard)
            parts.append(shard[start - begin : min(stop, end) - begin])
            start, first = end, first + 1
        if len(parts) == 1:
            return np.asarray(parts[0])
        return np.concatenate(parts) if parts else np.asarray(self._shards[0][0:0])


class ShardFile:
    """The ids in one file.

    They are read, not mapped: pages of a mapped file would count as memory of the job.
    """

    def __init__(self, path: Path, dtype: Dtype, tokens: int) -> None:
        self._path, self._tokens = path, tokens
        self._dtype, self._read_as = np.dtype(dtype).newbyteorder("<"), _READ_AS[dtype]
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self._tokens

    def __getitem__(self, where: slice) -> Ids:
        """Return the ids of a slice without a step.

        Raises:
            UserError: the file is shorter than it should be.
        """
        start, stop, _ = where.indices(self._tokens)
        size = self._dtype.itemsize
        content = os.pread(self._file, (stop - start) * size, start * size)
        if len(content) != (stop - start) * size:
            raise UserError(f"the shard {self._path} ends early; see: asi-arch data info --check")
        return np.frombuffer(content, self._dtype).astype(self._read_as)


def load(folder: Path) -> Tokens:
    """Return the tokens of one part, which is the folder `folder`.

    Raises:
        UserError: the folder holds no tokens.
    """
    index = read_index(folder)
    try:
        shards = [ShardFile(folder / name, index.dtype, n) for name, n in index.shards.items()]
    except FileNotFoundError as error:
        raise UserError(f"the shard {error.filename} is gone; prepare the data anew") from error
    return Tokens(shards, index.vocab_size)


def vocab_size(folder: Path) -> int:
    """Return the size of the vocabulary of one part."""
    return read_index(folder).vocab_size


def batches(tokens: Tokens, steps: int, batch_size: int, length: int, seed: int) -> Iterator[Ids]:
    """Yield `steps` arrays [batch_size, length + 1] of consecutive tokens at random places.

    The same seed gives the same batches in the same order, whatever is trained on them.

    Raises:
        UserError: the text is shorter than one sequence.
    """
    _require(tokens, length)
    places = np.random.default_rng(seed).integers(len(tokens) - length, size=(steps, batch_size))
    for starts in places:
        yield np.stack([tokens[start : start + length + 1] for start in starts])


def windows(tokens: Tokens, count: int, length: int) -> Ids:
    """Return [count, length + 1] tokens, evenly spread, the same for every run.

    Raises:
        UserError: the text is shorter than one window.
    """
    starts = window_starts(tokens, count, length)
    return np.stack([tokens[start : start + length + 1] for start in starts])


def window_starts(tokens: Tokens, count: int, length: int) -> npt.NDArray[np.int64]:
    """Return where each of those windows begins.

    Raises:
        UserError: the text is shorter than one window.
    """
    _require(tokens, length)
    return np.linspace(0, len(tokens) - length - 1, count).astype(np.int64)


def closing_windows(train: Tokens, length: int) -> Ids:
    """Return the windows of the training text whose loss a training job reports at its end."""
    return windows(train, _CLOSING, length)


def _require(tokens: Tokens, length: int) -> None:
    if len(tokens) <= length:
        raise UserError(
            f"the text has {len(tokens)} tokens, a sequence {length + 1}; prepare more text or "
            "lower the stage's length"
        )
