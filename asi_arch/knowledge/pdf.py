"""Read the text of a PDF; figures, tables and scanned pages are left out."""

import logging
import re
import struct
import zlib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asi_arch.errors import MissingExtra, UserError

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_PAGES = 150
_NO_TITLE = re.compile(r"untitled|microsoft word|\.(?:tex|docx?|pdf|dvi)\b", re.IGNORECASE)
# What pypdf raises on damaged files, besides errors of its own.
_DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def read_pdf(path: Path) -> tuple[str, str, int]:
    """Return title, text and year of a PDF; no title and year 0 where it does not say.

    Raises:
        UserError: it is protected by a password, damaged, or has no text.
        MissingExtra: pypdf is not installed.
    """
    try:
        import pypdf
        from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError
    except ImportError as error:
        raise MissingExtra("pypdf", "pdf") from error
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every oddity
    try:
        reader = pypdf.PdfReader(path)
        pages = [page.extract_text() for page in reader.pages[:_PAGES]]
        found = _title(reader), unwrapped("\n\n".join(pages)), _year(reader)
    except (DependencyError, FileNotDecryptedError) as error:
        raise UserError(f"{path} is encrypted; save a copy without a password") from error
    except (PyPdfError, *_DAMAGED) as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} is no PDF that can be read ({reason}); export it again") from error
    if not re.search(r"\w{3}", found[1]):
        raise UserError(
            f"{path} has no text, it may be scanned; run it through text recognition (OCR) first"
        )
    return found


def unwrapped(text: str) -> str:
    """Return the text with the words joined that a line break has cut."""
    return re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)


def _title(reader: "PdfReader") -> str:
    """Return the title that the file states, else what stands largest on its first page."""
    stated = (reader.metadata.title if reader.metadata else "") or ""
    if len(stated.split()) > 1 and not _NO_TITLE.search(stated):
        return stated
    return _largest(reader.pages[0]) if reader.pages else ""


def _largest(page: "PageObject") -> str:
    """Return the text in the largest letters, if it is longer than one word."""
    pieces: list[tuple[float, str]] = []

    def visit(text: str, user: Sequence[float], tm: Sequence[float], _: Any, size: float) -> None:
        upright = abs(tm[1]) < 1e-3 and abs(user[1]) < 1e-3  # a stamp on the margin is not
        if text.strip() and upright:
            pieces.append((round(abs(size * tm[3] * user[3]), 1), text))

    page.extract_text(visitor_text=visit)
    runs = [(size, " ".join(text for _, text in run)) for size, run in groupby(pieces, _size)]
    titles = [(size, text) for size, text in runs if len(text.split()) > 1]
    if len({size for size, _ in titles}) < 2:
        return ""
    return max(titles, key=_size)[1]


def _size(piece: tuple[float, str]) -> float:
    return piece[0]


def _year(reader: "PdfReader") -> int:
    stated = reader.metadata.get("/CreationDate", "") if reader.metadata else ""
    made = re.match(r"D:(\d{4})", str(stated))
    return int(made.group(1)) if made else 0
