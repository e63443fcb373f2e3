import math

import numpy as np
import pytest

from asi_arch.evaluate.ngrams import reference_losses


def test_random_bytes_cannot_be_predicted() -> None:
    rng = np.random.default_rng(0)
    train, heldout = (rng.integers(0, 256, 200_000).astype(np.uint8) for _ in range(2))
    losses = reference_losses(train, heldout)
    assert losses["unigram"] == pytest.approx(math.log(256), abs=0.01)
    assert losses["gzip"] == pytest.approx(math.log(256), abs=0.01)


def test_longer_contexts_see_longer_patterns() -> None:
    rng = np.random.default_rng(1)
    text = np.zeros(100_000, np.uint8)
    text[:2] = 1, 0
    flips = rng.random(len(text)) < 0.05
    for place in range(2, len(text)):
        text[place] = text[place - 1] ^ text[place - 2] ^ flips[place]
    losses = reference_losses(text[:90_000], text[90_000:])
    entropy = -(0.05 * math.log(0.05) + 0.95 * math.log(0.95))
    assert losses["trigram"] == pytest.approx(entropy, abs=0.02)
    assert losses["bigram"] > entropy + 0.3


def test_every_byte_has_a_chance() -> None:
    train = np.frombuffer(b"abab" * 1000, np.uint8)
    heldout = np.frombuffer(bytes(range(256)) * 10, np.uint8)
    assert all(math.isfinite(loss) for loss in reference_losses(train, heldout).values())
