"""Words as the index has them: one spelling, no stop words, a few synonyms."""

import re
from collections.abc import Iterator

_LONGEST = 300  # words of a query that count
_TOKEN = re.compile(r"\d{4}\.\d{4,5}|[^\W_]+")
_SPELLINGS = (
    (re.compile(r"(?<=\w\w)is(?=(?:e|ed|er|ers|es|ing|ation|ations)\b)"), "iz"),
    (re.compile(r"(?<=ly)s(?=(?:e|ed|er|es|ing)\b)"), "z"),
    (re.compile(r"(?<=[aeiou]l)l(?=(?:ed|er|ers|ing)\b)"), ""),
    (re.compile(r"(?<=avi|ghb|fav)our"), "or"),
)
_STOP = """
a about all an and any are as at be been between but by can do does for from get has have how i
if in instead into is it its like many more most much no not of on one only or other our over
than that the their them then there these they this those to too use used uses using was we were
what when where which while who why will with without would you
"""
_SYNONYMS = {
    "ffn": "mlp",
    "layernorm": "layer normalization",
    "lr": "learning rate",
    "rnn": "recurrent",
    "rnns": "recurrent",
    "rope": "rotary",
    "ssm": "state space",
    "ssms": "state space",
}


def spelled(text: str) -> str:
    """Return a text in small letters and American spelling, which the index and queries have."""
    text = text.lower()
    for british, american in _SPELLINGS:
        text = british.sub(american, text)
    return text


def keywords(query: str) -> list[str]:
    """Return the words of a query that tell something, and their synonyms, each once.

    A query of nothing but stop words keeps them.
    """
    words = _TOKEN.findall(spelled(query))[:_LONGEST]
    stop = set(_STOP.split())
    telling = [word for word in words if word not in stop] or words
    return list(dict.fromkeys(_with_synonyms(telling)))


def _with_synonyms(words: list[str]) -> Iterator[str]:
    for word in words:
        yield word
        if word in _SYNONYMS:
            yield _SYNONYMS[word]
