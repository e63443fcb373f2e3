"""Whether a prepared folder still is what its manifest says."""

import hashlib
from pathlib import Path

import numpy as np

from asi_arch.data.manifest import SPLITS, Index, Manifest, Shard, part, read_index
from asi_arch.data.tokenizer import tokenizer_of
from asi_arch.errors import UserError

_BLOCK = 2**22


def check(folder: Path, manifest: Manifest) -> None:
    """Read all shards of a prepared folder.

    Raises:
        UserError: a shard is corrupted, or the tokenizer is not the one that made them.
    """
    _check_tokenizer(folder, manifest)
    for split in SPLITS:
        described = getattr(manifest, split)
        _check_index(part(folder, split), manifest, {s.file: s.tokens for s in described.shards})
        for shard in described.shards:
            _check_shard(part(folder, split), shard, manifest)


def _check_tokenizer(folder: Path, manifest: Manifest) -> None:
    found, wanted = tokenizer_of(folder), manifest.tokenizer
    if (found.sha256, found.vocab_size) != (wanted.sha256, wanted.vocab_size):
        raise UserError(
            f"the tokenizer in {folder} ({found.name}, {found.vocab_size} ids) does not fit its "
            f"shards, which {wanted.name!r} with {wanted.vocab_size} ids made; prepare them anew"
        )


def _check_index(folder: Path, manifest: Manifest, shards: dict[str, int]) -> None:
    expected = Index(dtype=manifest.dtype, vocab_size=manifest.tokenizer.vocab_size, shards=shards)
    if read_index(folder) != expected:
        raise UserError(f"the index of {folder} is not what the manifest says; prepare it anew")


def _check_shard(folder: Path, shard: Shard, manifest: Manifest) -> None:
    path, digest, largest = folder / shard.file, hashlib.sha256(), 0
    dtype = np.dtype(manifest.dtype).newbyteorder("<")
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                ids = np.frombuffer(block[: len(block) // dtype.itemsize * dtype.itemsize], dtype)
                largest = max(largest, int(ids.max(initial=0)))
    except FileNotFoundError as error:
        raise UserError(f"the shard {path} is gone; prepare the data anew") from error
    if digest.hexdigest() != shard.sha256:
        raise UserError(f"the shard {path} is corrupted: its checksum differs; prepare it anew")
    if largest >= manifest.tokenizer.vocab_size:
        raise UserError(
            f"the shard {path} has the id {largest}, its tokenizer only "
            f"{manifest.tokenizer.vocab_size}; prepare it anew"
        )
