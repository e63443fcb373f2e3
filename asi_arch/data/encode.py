"""Turn documents into ids: which side of the split each is on, and whether a benchmark is in it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asi_arch.data.overlap import Benchmarks, Match
from asi_arch.data.tokenizer import Tokenizer, load_tokenizer
from asi_arch.data.tokens import Ids
from asi_arch.data.words import WordMemory, keeps_words_apart

SPLIT_RULE = "first 8 bytes of the text's sha256, as a share of 2^64, below heldout_percent"


@dataclass(frozen=True)
class Encoded:
    """Documents as ids in a row; `lengths`, `sizes` (bytes) and `heldout` have a value for each."""

    ids: Ids
    lengths: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    heldout: npt.NDArray[np.bool_]
    matches: dict[int, Match]


@dataclass(frozen=True)
class Rules:
    """All that decides what becomes of a text."""

    tokenizer: str
    dtype: str
    heldout_percent: float
    benchmarks: tuple[Path, ...]


class Encoder:
    """Encodes batches of documents."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._tokenizer = load_tokenizer(rules.tokenizer)
        whole = not keeps_words_apart(self._tokenizer)
        self._words = None if whole else WordMemory(self._tokenizer, rules.dtype)
        self._benchmarks = Benchmarks(rules.benchmarks) if rules.benchmarks else None
        self._close = closing(self._tokenizer)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Return the documents as ids, each with its end."""
        raws = [text.encode(errors="replace") for text in texts]
        texts = [raw.decode() for raw in raws]
        encode = self._words.encode_batch if self._words else self._tokenizer.encode_batch
        rows = [np.asarray(row, self._rules.dtype) for row in encode(texts)]
        close = np.array(self._close, self._rules.dtype)
        ids = [row for document in rows for row in (document, close)]
        return Encoded(
            ids=np.concatenate(ids),
            lengths=np.array([len(row) + len(close) for row in rows], np.int64),
            sizes=np.array([len(raw) for raw in raws], np.int64),
            heldout=np.array([is_heldout(raw, self._rules.heldout_percent) for raw in raws]),
            matches=self._match(texts),
        )

    def _match(self, texts: Sequence[str]) -> dict[int, Match]:
        if self._benchmarks is None:
            return {}
        found = ((number, self._benchmarks.match(text)) for number, text in enumerate(texts))
        return {number: match for number, match in found if match is not None}


def closing(tokenizer: Tokenizer) -> list[int]:
    """Return the ids that end a document: a newline where there is no id for it."""
    return tokenizer.encode("\n") if tokenizer.end is None else [tokenizer.end]


def is_heldout(text: bytes, percent: float) -> bool:
    """Whether a document is held out; the same text always is on the same side."""
    return int.from_bytes(hashlib.sha256(text).digest()[:8]) < percent / 100 * 2**64
