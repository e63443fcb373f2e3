"""What a trained model is asked: token ids without labels, and prefixes that end where it may look.

A question is a batch [rows, length] of token ids. Its labels are never written beside it.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asi_arch.config import Stage
from asi_arch.data import Ids, closing_windows, load, part, window_starts, windows
from asi_arch.data.manifest import DOCUMENTS

Questions = Mapping[str, npt.NDArray[np.integer[Any]]]

HELDOUT, CLOSING = "heldout", "closing"


@dataclass(frozen=True)
class Cuts:
    """Prefixes by length: the first `length` tokens of each of the windows `by_length[length]`."""

    by_length: Mapping[int, tuple[int, ...]]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The window and the length of every prefix."""
        return [(w, length) for length, chosen in self.by_length.items() for w in chosen]


def heldout_windows(stage: Stage, data: Path) -> Ids:
    """Return the held-out windows of a stage with their labels, [heldout_windows, length + 1]."""
    return windows(load(part(data, "heldout")), stage.heldout_windows, stage.length)


def window_documents(stage: Stage, data: Path) -> tuple[int, ...]:
    """Return the number of the document in which each held-out window begins."""
    folder = part(data, "heldout")
    begun = window_starts(load(folder), stage.heldout_windows, stage.length)
    first = np.load(folder / DOCUMENTS)
    return tuple((np.searchsorted(first, begun, side="right") - 1).tolist())


def reported_windows(stage: Stage, data: Path) -> Ids:
    """Return the windows of the training text whose loss the training job has reported."""
    return closing_windows(load(part(data, "train")), stage.length)


def whole_questions(stage: Stage, data: Path) -> Questions:
    """Return the inputs of all windows, held-out and reported."""
    return {
        HELDOUT: heldout_windows(stage, data)[:, :-1],
        CLOSING: reported_windows(stage, data)[:, :-1],
    }


def prefix_questions(stage: Stage, data: Path, cuts: Cuts) -> Questions:
    """Return the prefixes, one batch for each length."""
    tokens = heldout_windows(stage, data)
    return {str(length): tokens[list(w), :length] for length, w in cuts.by_length.items()}


def choose_cuts(stage: Stage, data: Path, seed: int) -> Cuts:
    """Draw `stage.audit_positions` windows, and in each a length from 1 to the full length.

    No two of them overlap in the text: one prefix must not show what another may not see. Where
    the held-out windows are fewer, so are the prefixes.
    """
    rng = np.random.default_rng(seed)
    apart = _apart(stage, len(load(part(data, "heldout"))))
    free = np.arange(0, stage.heldout_windows, apart)
    chosen = np.sort(rng.permutation(free)[: stage.audit_positions])
    lengths = rng.integers(1, stage.length + 1, size=len(chosen))
    return Cuts(
        {int(length): tuple(chosen[lengths == length].tolist()) for length in np.unique(lengths)}
    )


def _apart(stage: Stage, text: int) -> int:
    """How many held-out windows further the next one lies that shares no token."""
    stride = (text - stage.length - 1) / max(1, stage.heldout_windows - 1)
    return max(1, math.ceil((stage.length + 1) / max(stride, 1)))


def cut_seed(weights: Path) -> int:
    """Return a number that no training knows before its weights are final."""
    with weights.open("rb") as file:
        return int.from_bytes(hashlib.file_digest(file, "sha256").digest()[:4])


def write_questions(path: Path, questions: Questions) -> None:
    """Write an array for each question; NumPy's types know no array of that name."""
    np.savez(path, **questions)  # type: ignore[arg-type]
