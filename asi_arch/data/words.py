"""A memory for words: most words of a text have been turned into ids before.

The common byte-level tokenizers never join what a single space parts: in `one two` they begin a new
piece with the space. Where a tokenizer is of that kind, the ids of a text are those of its words,
each with the space before it, in a row.
"""

import re
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np

from asi_arch.data.tokenizer import FileTokenizer, Tokenizer
from asi_arch.data.tokens import Ids

_MOST_CHARACTERS = 2**23
_SPACES = re.compile(r"(?<=\S) (?=\S)")
_PATTERNS = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""How GPT-2, Llama 3 and Qwen 2 cut a text into pieces."""


class WordMemory:
    """Encodes with a tokenizer whose ids of a text are those of its words in a row."""

    def __init__(self, tokenizer: Tokenizer, dtype: str) -> None:
        self._tokenizer = tokenizer
        self._dtype = np.dtype(dtype)
        self._known: dict[str, bytes] = {}
        self._characters = 0

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of each text."""
        words = [_words(text) for text in texts]
        self._learn(set(chain.from_iterable(words)) - self._known.keys())
        known = self._known.__getitem__
        found: list[Ids] = [np.frombuffer(b"".join(map(known, ws)), self._dtype) for ws in words]
        if self._characters > _MOST_CHARACTERS:
            self._known.clear()
            self._characters = 0
        return found

    def _learn(self, words: set[str]) -> None:
        fresh = list(words)
        self._characters += sum(map(len, fresh))
        rows = self._tokenizer.encode_batch([_as_in_text(word) for word in fresh])
        content = np.fromiter(chain.from_iterable(rows), self._dtype).tobytes()
        ends = (self._dtype.itemsize * end for end in accumulate(map(len, rows)))
        for word, (start, end) in zip(fresh, pairwise(chain([0], ends)), strict=True):
            self._known[word] = content[start:end]


def _words(text: str) -> list[str]:
    """Cut a text at each single space; the first word, which none precedes, is marked by one."""
    words = _SPACES.split(text)
    words[0] = f" {words[0]}"
    return words


def _as_in_text(word: str) -> str:
    return word[1:] if word[0] == " " else f" {word}"


def keeps_words_apart(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer is known to begin a new piece at each single space."""
    if not isinstance(tokenizer, FileTokenizer):
        return False
    definition = tokenizer.definition()
    if definition["normalizer"] not in (None, {"type": "NFC"}) or definition["model"]["dropout"]:
        return False
    if not all(token["special"] for token in definition["added_tokens"]):
        return False
    return definition["model"]["type"] == "BPE" and _cuts_at_spaces(definition["pre_tokenizer"])


def _cuts_at_spaces(cutter: dict[str, Any] | None) -> bool:
    match cutter:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
            return True
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"} as split,
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return pattern in _PATTERNS and not split.get("invert")
    return False
