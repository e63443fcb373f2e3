"""Text as tokens: where it comes from, how it is split and stored, how training reads it."""

from asi_arch.data.corpus import prepare
from asi_arch.data.manifest import part
from asi_arch.data.tokens import (
    VOCAB_SIZE,
    Ids,
    Tokens,
    batches,
    closing_windows,
    load,
    vocab_size,
    window_starts,
    windows,
)

__all__ = [
    "VOCAB_SIZE",
    "Ids",
    "Tokens",
    "batches",
    "closing_windows",
    "load",
    "part",
    "prepare",
    "vocab_size",
    "window_starts",
    "windows",
]
