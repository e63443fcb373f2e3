"""Which known ideas a proposal sounds like: cosine similarity of their words (TF-IDF)."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from asi_arch.records import Proposal

Vector = Mapping[str, float]


def alike(
    proposal: Proposal, known: Mapping[int, Proposal], least: float, limit: int
) -> list[tuple[int, float]]:
    """Return ids and similarities of the known ideas most like a proposal, the most alike first.

    Similarities go from 0 to 1; those under `least` are left out, and no more than `limit` return.
    """
    texts = {id: _words(other) for id, other in known.items()}
    own = _words(proposal)
    weights = _rarity([own, *texts.values()])
    vector = _weighted(own, weights)
    found = [(id, _cosine(vector, _weighted(text, weights))) for id, text in texts.items()]
    near = [(id, similarity) for id, similarity in found if similarity >= least]
    return sorted(near, key=lambda pair: (-pair[1], pair[0]))[:limit]


def _words(proposal: Proposal) -> Counter[str]:
    """Count the words of what is proposed; the names of classes say nothing."""
    parts = (f"{part.name} {part.category} {part.description}" for part in proposal.components)
    text = " ".join([proposal.motivation, *parts]).lower()
    return Counter(word for word in re.findall(r"[^\W_]+", text) if len(word) > 2)


def _rarity(texts: Iterable[Counter[str]]) -> dict[str, float]:
    """Return the weight of each word: the rarer it is among the texts, the larger."""
    texts = list(texts)
    seen = Counter(word for text in texts for word in text)
    return {word: 1 + math.log(len(texts) / count) for word, count in seen.items()}


def _weighted(text: Counter[str], weights: Mapping[str, float]) -> Vector:
    return {word: (1 + math.log(count)) * weights[word] for word, count in text.items()}


def _cosine(one: Vector, other: Vector) -> float:
    product = sum(value * other.get(word, 0.0) for word, value in one.items())
    return product / (_length(one) * _length(other)) if product else 0.0


def _length(vector: Vector) -> float:
    return math.sqrt(sum(value * value for value in vector.values()))
