"""Make an entry of a document without a model: what can be found by its form."""

import re
from datetime import date

from asi_arch.knowledge.clean import one_line, paragraphs
from asi_arch.knowledge.document import Document
from asi_arch.knowledge.entries import load_entries
from asi_arch.records import Entry

FIRST_YEAR = 1950
_HEAD = 3_000  # characters in which title, authors, year and number stand
_READ = 200_000  # characters that are looked at, about sixty pages
_WHOLE = 3_000  # a note as short as this stays as it is
_PART = 1_600  # characters of the abstract, and of the sentences
_TAGS = 6
_SLUG = 60
_ARXIV = re.compile(r"(?<![\d.])(\d{2}(?:0[1-9]|1[0-2])\.\d{4,5})(?![\d])")
_STAMP = re.compile(r"arxiv(?:\.org/(?:abs|pdf)/|\s*:\s*)" + _ARXIV.pattern, re.IGNORECASE)
_YEAR = re.compile(r"(?<![\d.])(?:19[5-9]\d|20\d\d)(?![\d.])")
_ABSTRACT = re.compile(r"^\W*abstract(?:[\W_]*$|\s*[.:*—–-][\W_]*)", re.IGNORECASE | re.MULTILINE)
_FIRST_SECTION = re.compile(
    r"^\W*(?:1|I)?[\s.]*introduction\W*$|^\W*(?:keywords|index terms)\b|^#{1,3}\s",
    re.IGNORECASE | re.MULTILINE,
)
_REFERENCES = re.compile(r"^\W*\d*\W*(?:references|bibliography)\W*$", re.IGNORECASE | re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])")
_BY = re.compile(r"^\W*(?:by\s|authors?:)\s*", re.IGNORECASE)
_BETWEEN_NAMES = re.compile(r"\s*(?:[,;&]|\band\b)\s*")
_PARTICLES = ("al", "da", "de", "del", "der", "di", "el", "la", "le", "ten", "van", "von")
_NO_NAME = re.compile(
    r"\d|@|universit|institut|department|laborator|research|review|preprint|conference|school|inc\b",
    re.IGNORECASE,
)
_MECHANISM = re.compile(
    r"[=∑σ⊙]|\b(?:attention|cache|chunk|convolution|decay|delta|gat(?:e|ed|ing)|key|kernel|memory|"
    r"norm|propose|query|recall|recurren\w+|softmax|state|token|update|value)s?\b",
    re.IGNORECASE,
)


def extract_entry(document: Document) -> Entry:
    """Return an entry with the words of the document: its abstract and its telling sentences."""
    return Entry(
        id=identifier(document),
        title=document.title,
        authors=_authors(document),
        year=year(document),
        tags=_tags(document.text[:_READ]),
        text=_text(document),
        source=document.name,
    )


def identifier(document: Document) -> str:
    """Return the arXiv number in the file's name or at the top of the text, else a slug."""
    for found in (_ARXIV.search(document.name), _STAMP.search(document.text[:_HEAD])):
        if found:
            return found.group(1)
    return _slug(document.title) or _slug(document.name) or "note"


def year(document: Document) -> int:
    """Return the year of the number, of the file or of the top of the text; 0 for unknown."""
    number = identifier(document)
    if _ARXIV.fullmatch(number):
        return 2000 + int(number[:2])
    years = [document.year, *map(int, _YEAR.findall(document.text[:_HEAD]))]
    return next((year for year in years if FIRST_YEAR <= year <= date.today().year), 0)


def _slug(text: str) -> str:
    """Return the text as an id; nothing if that has no letter and could be taken for a number."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(slug) > _SLUG:
        slug = slug[: _SLUG + 1].rpartition("-")[0] or slug[:_SLUG]
    return slug if re.search("[a-z]", slug) else ""


def _authors(document: Document) -> str:
    """Return the names after `by`, or in a line above the abstract; nothing if there are none."""
    head = document.text[:_HEAD]
    lines = [line for line in head.splitlines() if _BY.match(line)]
    if _ABSTRACT.search(head):
        lines += _ABSTRACT.split(head)[0].splitlines()
    for line in lines:
        names = _names(_BY.sub("", line))
        if names and line.strip().lower() not in document.title.lower():
            return ", ".join(names)
    return ""


def _tags(text: str) -> tuple[str, ...]:
    """Return the shipped tags that a text says most often, twice at least."""
    tags = {tag for entry in load_entries() for tag in entry.tags}
    said = {tag: len(_spoken(tag).findall(text)) for tag in tags}
    ranked = sorted((tag for tag in said if said[tag] > 1), key=lambda tag: (-said[tag], tag))
    return tuple(ranked[:_TAGS])


def _spoken(tag: str) -> re.Pattern[str]:
    """Return a pattern of the tag; only one in small letters may be written in others."""
    return re.compile(rf"\b{re.escape(tag)}\b", re.IGNORECASE if tag.islower() else 0)


def _names(line: str) -> list[str]:
    """Return the names in a line, footnote marks taken off; nothing if it is anything else."""
    parts = _BETWEEN_NAMES.split(re.sub(r"(?<=\w)\d+|(?<=,)\d+|[*†‡§¶∗]", "", line))
    names = [one_line(part) for part in parts if part.strip()]
    return names if all(map(_is_name, names)) else []


def _is_name(text: str) -> bool:
    words = text.split()
    starts = all(word[0].isupper() or word in _PARTICLES for word in words)
    return 2 <= len(words) <= 5 and starts and not _NO_NAME.search(text)


def _text(document: Document) -> str:
    if len(document.text) <= _WHOLE:
        return document.text
    body = _REFERENCES.split(document.text[:_READ], maxsplit=1)[0]
    abstract, rest = _after_abstract(body)
    parts = {"Abstract": _cut(abstract), "Extract": _telling(rest)}
    said = [f"**{name}.** {text}" for name, text in parts.items() if text]
    return "\n\n".join(said) or _cut(one_line(document.text[:_READ]))


def _after_abstract(body: str) -> tuple[str, str]:
    """Return the abstract on one line, empty if there is none, and what comes behind it."""
    begin = _ABSTRACT.search(body)
    if begin is None:
        return "", body
    end = _FIRST_SECTION.search(body, begin.end())
    place = end.start() if end and end.start() < begin.end() + 2 * _PART else begin.end() + _PART
    return one_line(body[begin.end() : place]), body[place:]


def _telling(body: str) -> str:
    """Return the sentences with the most equations and words of mechanisms, in their order."""
    sentences = [s for part in paragraphs(body) for s in _SENTENCE_END.split(one_line(part))]
    fitting = [s for s in dict.fromkeys(sentences) if 40 <= len(s) <= 500 and _weight(s) > 0]
    kept, left = set(), _PART
    for sentence in sorted(fitting, key=_weight, reverse=True):
        if len(sentence) <= left:
            kept.add(sentence)
            left -= len(sentence) + 1
    return " ".join(sentence for sentence in fitting if sentence in kept)


def _weight(sentence: str) -> float:
    """How dense a sentence is: different words of mechanisms, for its length."""
    words = {found.lower() for found in _MECHANISM.findall(sentence)}
    return len(words) / (len(sentence) + 100)


def _cut(text: str) -> str:
    """Return the whole sentences of a text that fit."""
    if len(text) <= _PART and text.endswith("."):
        return text
    whole = text[:_PART].rpartition(". ")[0]
    return f"{whole}." if whole else text[:_PART]
