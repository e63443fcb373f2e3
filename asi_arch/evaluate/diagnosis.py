"""What the synthetic tasks say of a memory, in one sentence."""

from collections.abc import Iterable

from asi_arch.records import Score

SOLVED, PARTLY = 0.9, 0.5
_WORDS = {
    "overwrite": "overwriting",
    "recall": "recall of a few pairs",
    "recall_full": "recall near the size of its state",
    "fuzzy": "keys of two tokens",
    "compression": "recall by place",
}


def diagnosis(scores: Iterable[Score]) -> str:
    """Return which tasks were solved (9 of 10 answers), partly (half) and not; empty for none.

    Of several seeds the best counts: learning is a jump, and its moment varies by seed.
    """
    best: dict[str, float] = {}
    for score in scores:
        if score.benchmark in _WORDS and score.metric == "accuracy":
            best[score.benchmark] = max(score.value, best.get(score.benchmark, 0.0))
    degrees = {
        "solves": [name for name, value in best.items() if value >= SOLVED],
        "partly": [name for name, value in best.items() if PARTLY <= value < SOLVED],
        "fails": [name for name, value in best.items() if value < PARTLY],
    }
    told = [f"{degree} {_list(names)}" for degree, names in degrees.items() if names]
    return "; ".join(told)


def _list(names: list[str]) -> str:
    return ", ".join(_WORDS[name] for name in names)
