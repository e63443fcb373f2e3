"""Documents that contain items of benchmarks: they share a run of 13 words with one.

A word is a run of letters or digits; case does not count. Items with fewer words are not found.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from asi_arch.data.sources import JSON_LINES, open_binary
from asi_arch.errors import UserError

RUN = 13
_WORD = re.compile(r"\w+")
_WEIGHTS = np.cumprod(np.full(RUN, 0x9E3779B97F4A7C15, np.uint64), dtype=np.uint64)

Hashes = npt.NDArray[np.uint64]


class Match(NamedTuple):
    """The item of a benchmark, by file and line, that a text shares most runs with."""

    benchmark: int
    item: int
    shared: int


class Benchmarks:
    """All runs of 13 words of some benchmark files."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._items: dict[str, tuple[int, int]] = {}
        for number, path in enumerate(files):
            for line, text in _items(path):
                words = _words(text)
                for at in range(len(words) - RUN + 1):
                    self._items.setdefault(" ".join(words[at : at + RUN]), (number, line))
        runs = [_hashes(run.split(" ")) for run in self._items]
        self._hashes: Hashes = np.unique(np.concatenate(runs)) if runs else np.zeros(0, np.uint64)

    def match(self, text: str) -> Match | None:
        """Return the item that a text overlaps with most, None if with none."""
        words = _words(text)
        if len(words) < RUN or not len(self._hashes):
            return None
        found = _hashes(words)
        near = self._hashes[np.searchsorted(self._hashes, found) % len(self._hashes)]
        runs = {" ".join(words[at : at + RUN]) for at in np.flatnonzero(near == found)}
        items = Counter(self._items[run] for run in runs if run in self._items)
        if not items:
            return None
        (benchmark, item), shared = min(items.items(), key=lambda pair: (-pair[1], pair[0]))
        return Match(benchmark, item, shared)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _hashes(words: list[str]) -> Hashes:
    """Return a hash of each run of words, [len(words) - 12]; the same within a process only."""
    codes = np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, RUN)
    return np.asarray((windows * _WEIGHTS).sum(1, dtype=np.uint64))


def _items(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of each line: those in its JSON, or the line itself, counted from 1."""
    try:
        with open_binary(path) as file:
            for number, line in enumerate(file, start=1):
                if path.name.endswith(JSON_LINES):
                    yield from ((number, text) for text in _strings(json.loads(line or b"null")))
                else:
                    yield number, line.decode(errors="replace")
    except ValueError as error:
        raise UserError(f"{path}, line {number} is not valid JSON: {error}; mend it") from error
    except OSError as error:
        raise UserError(f"cannot read the benchmark {path}: {error.strerror}") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
