"""Read a paper or a note: PDF, Markdown or plain text in, a title and clean text out."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from asi_arch.errors import UserError
from asi_arch.knowledge.clean import clean, one_line
from asi_arch.knowledge.entries import has_header

SUFFIXES = (".pdf", ".md", ".txt")
_LARGEST = 64 * 2**20  # bytes of a file
_LONGEST = 4 * 2**20  # characters that are read of it
_TITLE = 200
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Document:
    """What a file says; `year` is that of the file's own description, 0 where it has none."""

    name: str
    title: str
    text: str
    year: int = 0

    @property
    def is_entry(self) -> bool:
        """Whether it is an entry already, with the header of one."""
        return self.name.lower().endswith(".md") and has_header(self.text)


def read_document(path: Path) -> Document:
    """Read a file.

    Raises:
        UserError: it is missing, of another kind, empty, too large, protected or damaged.
        MissingExtra: it is a PDF and pypdf is not installed.
    """
    _check(path)
    if path.suffix.lower() == ".pdf":
        from asi_arch.knowledge.pdf import read_pdf

        title, text, year = read_pdf(path)
    else:
        title, text, year = "", _decode(path), 0
    text = clean(text[:_LONGEST]).strip()
    if not text:
        raise UserError(f"{path} is empty; there is nothing to add")
    return Document(path.name, one_line(title)[:_TITLE] or _first_line(text), text, year)


def _check(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"cannot read {path}: a document is one of {', '.join(SUFFIXES)}")
    if not path.exists():
        raise UserError(f"there is no file {path}; correct its name")
    if not path.is_file():
        raise UserError(f"{path} is not a file; name the documents in it one by one")
    size = path.stat().st_size
    if size > _LARGEST:
        raise UserError(
            f"{path} has {size / 2**20:.0f} MB, and a document may have {_LARGEST // 2**20}; "
            "add the part that matters"
        )


def _decode(path: Path) -> str:
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith(_MARKS) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8; save it as UTF-8 and try again") from error
    if len(_CONTROL.findall(text)) > len(text) // 20:
        raise UserError(f"{path} is binary, not text; a document is one of {', '.join(SUFFIXES)}")
    return text


def _first_line(text: str) -> str:
    """Return the first heading near the top, else the first line that has words."""
    lines = [line.strip() for line in text.splitlines()[:50] if re.search(r"[^\W\d_]{2}", line)]
    headings = [line.lstrip("#").strip() for line in lines if re.match(r"#{1,2}\s", line)]
    return one_line([*headings, *lines, text[:_TITLE]][0])[:_TITLE]
