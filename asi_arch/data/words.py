"""A memory for words: most words of a text have been turned into ids before.

The common byte-level tokenizers never join what a single space parts: in `one two` they begin a new
piece with the space. Where a tokenizer is of that kind, the ids of a text are those of its words,
each with the space before it, in a row.
"""

import json
import re
from collections.abc import Sequence
from itertools import chain
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

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, tuple[int, ...]] = {}
        self._characters = 0

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of each text."""
        words = [_words(text) for text in texts]
        self._learn(set(chain.from_iterable(words)) - self._known.keys())
        known = self._known
        found: list[Ids] = [
            np.array([*chain.from_iterable([known[w] for w in ws])], np.int64) for ws in words
        ]
        if self._characters > _MOST_CHARACTERS:
            known.clear()
            self._characters = 0
        return found

    def _learn(self, words: set[str]) -> None:
        fresh = list(words)
        self._characters += sum(map(len, fresh))
        ids = self._tokenizer.encode_batch(fresh)
        self._known.update(zip(fresh, map(tuple, ids), strict=True))


def _words(text: str) -> list[str]:
    """Cut a text before each single space."""
    first, *rest = _SPACES.split(text)
    return [first, *[f" {word}" for word in rest]]


def keeps_words_apart(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer is known to begin a new piece at each single space."""
    if not isinstance(tokenizer, FileTokenizer):
        return False
    definition = json.loads(tokenizer.definition)
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
