"""A mark for any vocabulary: the loss of a model that knows how often each token occurs."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from asi_arch.data.manifest import SPLITS, part
from asi_arch.data.tokens import Tokens, load

_BLOCK = 2**22


def unigram_loss(folder: Path) -> float:
    """Return the held-out loss in nats per token, counted on the training part plus one each."""
    seen, asked = (_counts(load(part(folder, split))) for split in SPLITS)
    chances = (seen + 1.0) / (seen + 1.0).sum()
    return float(-(asked * np.log(chances)).sum() / asked.sum())


def _counts(tokens: Tokens) -> npt.NDArray[np.int64]:
    counts = np.zeros(tokens.vocab_size, np.int64)
    for start in range(0, len(tokens), _BLOCK):
        counts += np.bincount(tokens[start : start + _BLOCK], minlength=tokens.vocab_size)
    return counts
