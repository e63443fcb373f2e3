import sys
from io import BytesIO
from pathlib import Path

import pypdf
import pytest

from asi_arch.errors import MissingExtra, UserError
from asi_arch.knowledge.clean import clean, one_line, paragraphs
from asi_arch.knowledge.document import Document, read_document
from tests.knowledge.papers import assembled, pdf

LINES = [
    (18, "Braided Memories for"),
    (18, "Linear Attention"),
    (10, "We pro-"),
    (10, "pose (a) memory."),
]
TEXT = "Braided Memories for\nLinear Attention\nWe propose (a) memory."


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def encrypted(password: str) -> bytes:
    writer, out = pypdf.PdfWriter(BytesIO(pdf(LINES))), BytesIO()
    writer.encrypt(password, "owner", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def test_a_pdf_has_title_text_and_year(tmp_path: Path) -> None:
    found = read_document(write(tmp_path, "a.pdf", pdf(LINES, rotated="LARGE STAMP")))
    assert found.title == "Braided Memories for Linear Attention"
    assert found.text.startswith(TEXT)
    assert (found.name, found.year) == ("a.pdf", 2023)


@pytest.mark.parametrize(
    ("stated", "title"),
    [
        ("A Stated Title", "A Stated Title"),
        ("untitled document", "Braided Memories for Linear Attention"),
        ("paper final.dvi", "Braided Memories for Linear Attention"),
        ("Draft", "Braided Memories for Linear Attention"),
    ],
)
def test_a_stated_title_goes_first_if_it_is_one(tmp_path: Path, stated: str, title: str) -> None:
    assert read_document(write(tmp_path, "a.pdf", pdf(LINES, title=stated))).title == title


def test_a_pdf_in_letters_of_one_size_is_called_by_its_first_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.pdf", pdf([(10, "First of all"), (10, "More of it")]))
    assert read_document(path).title == "First of all"


def test_a_pdf_that_opens_without_a_password_is_read(tmp_path: Path) -> None:
    assert read_document(write(tmp_path, "a.pdf", encrypted(""))).text == TEXT


def refused(tmp_path: Path, name: str, data: bytes | str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        read_document(write(tmp_path, name, data))
    assert name in str(caught.value)


def test_protected_scanned_and_damaged_pdfs(tmp_path: Path) -> None:
    refused(tmp_path, "secret.pdf", encrypted("secret"), "is encrypted; save a copy")
    refused(tmp_path, "scan.pdf", pdf([]), "has no text, it may be scanned")
    refused(tmp_path, "no-pages.pdf", no_pages(), "has no text, it may be scanned")
    refused(tmp_path, "empty.pdf", b"", "is no PDF that can be read")
    refused(tmp_path, "other.pdf", b"\x7fELF" + bytes(500), "is no PDF that can be read")
    refused(tmp_path, "cut.pdf", pdf(LINES)[:400], "is no PDF that can be read")


def no_pages() -> bytes:
    catalogue = "<< /Type /Catalog /Pages 2 0 R >>"
    return assembled(catalogue, "<< /Type /Pages /Kids [] /Count 0 >>", "<< >>")


@pytest.mark.parametrize("place", range(60, 900, 7))
def test_no_damage_to_a_pdf_shows_a_trace(tmp_path: Path, place: int) -> None:
    data = bytearray(pdf(LINES, title="A Stated Title"))
    data[place : place + 5] = b"\xff(<0>"
    try:
        assert read_document(write(tmp_path, "a.pdf", bytes(data))).text
    except UserError as error:
        assert "a.pdf" in str(error)


def test_without_pypdf_the_sentence_is_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(MissingExtra, match=r"pip install 'asi-arch\[pdf\]'"):
        read_document(write(tmp_path, "a.pdf", pdf(LINES)))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Some words\n# The Heading #1\n", "The Heading #1"),
        ("\n\n---\n2024\nFirst words\n", "First words"),
        ("12 + 3", "12 + 3"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_the_title_of_a_text(tmp_path: Path, text: str, title: str) -> None:
    assert read_document(write(tmp_path, "a.md", text)).title == title


def test_texts_of_other_encodings(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert read_document(write(tmp_path, "a.txt", "Ünïcode".encode(encoding))).text == "Ünïcode"
    refused(tmp_path, "latin.txt", "Ünïcode".encode("latin-1"), "is not text in UTF-8")
    refused(tmp_path, "wide.txt", "Unicode".encode("utf-16-le"), "is binary, not text")
    refused(tmp_path, "data.txt", bytes(range(32)) * 9, "is binary, not text")


def test_wrong_files(tmp_path: Path) -> None:
    refused(tmp_path, "empty.txt", "", "is empty")
    refused(tmp_path, "blank.md", " \n\t\u200b\n", "is empty")
    refused(tmp_path, "paper.docx", "x", r"one of .pdf, .md, .txt")
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(UserError, match="is not a file"):
        read_document(tmp_path / "folder.md")
    with pytest.raises(UserError, match="there is no file"):
        read_document(tmp_path / "missing.pdf")


def test_large_files(tmp_path: Path) -> None:
    words = "a line of words\n" * 65_536  # 1 MB
    assert len(read_document(write(tmp_path, "a.txt", words)).text) == len(words) - 1
    path = write(tmp_path, "b.txt", "")
    with path.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(UserError, match="has 65 MB, and a document may have 64"):
        read_document(path)


def test_what_nobody_sees_is_dropped() -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "obey")  # tags, which no font shows
    assert clean(f"a\0b\x1b[31mc\ud800d\u202ee\u200bf{hidden}\xad") == "ab[31mcdef"
    assert clean("a\r\nb\rc\u2028d\x0ce") == "a\nb\nc\nd\ne"
    assert one_line(" a\n b\tc ") == "a b c"
    assert paragraphs("a\nb\n \n\n\nc\n") == ["a\nb", "c"]


def test_only_markdown_with_a_header_is_an_entry() -> None:
    assert Document("a.md", "", "+++\nx = 1\n+++\n").is_entry
    assert not Document("a.txt", "", "+++\nx = 1\n+++\n").is_entry
    assert not Document("a.md", "", "text\n+++\n").is_entry
