"""What trivial models score on the same text: marks that a loss curve has to pass."""

import gzip
import math

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


def reference_losses(train: Tokens, heldout: Tokens) -> dict[str, float]:
    """Return the held-out loss in nats per byte of byte n-gram models and of gzip.

    The n-gram models count on `train` and interpolate with the next shorter context by
    Witten-Bell smoothing; gzip compresses the held-out part alone.
    """
    one = _unigram(train)
    two = _longer(train, heldout, order=2, shorter=one[heldout[1:]])
    three = _longer(train, heldout, order=3, shorter=two[1:])
    return {
        "unigram": _nats(one[heldout]),
        "bigram": _nats(two),
        "trigram": _nats(three),
        "gzip": 8 * math.log(2) * len(gzip.compress(heldout.tobytes(), 9)) / len(heldout),
    }


def _unigram(train: Tokens) -> Floats:
    counts = np.bincount(train, minlength=256) + 1.0
    return np.asarray(counts / counts.sum())


def _longer(train: Tokens, heldout: Tokens, order: int, shorter: Floats) -> Floats:
    """Probability of each held-out byte after its `order - 1` predecessors."""
    counts = np.bincount(_codes(train, order), minlength=256**order).reshape(-1, 256)
    total, kinds = counts.sum(1), (counts > 0).sum(1)
    codes = _codes(heldout, order)
    context, byte = codes // 256, codes % 256
    weight = kinds[context] / np.maximum(total[context] + kinds[context], 1)
    weight = np.where(total[context] == 0, 1.0, weight)
    seen = counts[context, byte] / np.maximum(total[context], 1)
    return np.asarray((1 - weight) * seen + weight * shorter)


def _codes(tokens: Tokens, order: int) -> npt.NDArray[np.int64]:
    """Number every run of `order` bytes."""
    codes = np.zeros(len(tokens) - order + 1, np.int64)
    for offset in range(order):
        codes = codes * 256 + tokens[offset : offset + len(codes)]
    return codes


def _nats(probabilities: Floats) -> float:
    return float(-np.log(probabilities).mean())
