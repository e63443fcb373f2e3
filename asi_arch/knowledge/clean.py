"""Make text of unknown origin fit for databases, terminals and prompts."""

import re
import unicodedata

_BREAKS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_DROPPED = ("Cc", "Cf", "Cs")  # control, invisible (they may hide text), half a character


def clean(text: str) -> str:
    """Return the text without what nobody sees; every line break is a newline."""
    text = _BREAKS.sub("\n", text).expandtabs(4)
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in _DROPPED)


def one_line(text: str) -> str:
    """Return the text, clean and on one line."""
    return " ".join(clean(text).split())


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a clean text, which empty lines part."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
