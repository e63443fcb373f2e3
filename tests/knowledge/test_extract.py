import pytest

from asi_arch.knowledge.document import Document
from asi_arch.knowledge.extract import extract_entry, identifier, year
from tests.knowledge.papers import ABSTRACT, PAPER

TITLE = "Braided Memories for Linear Attention"


def document(text: str, name: str = "a.txt", title: str = TITLE) -> Document:
    return Document(name, title, text)


def test_a_paper() -> None:
    found = extract_entry(document(PAPER))
    assert (found.id, found.title, found.year) == ("2509.01234", TITLE, 2025)
    assert found.authors == "Ada Lovelace, Charles van Babbage, Grace Hopper"
    assert found.source == "a.txt"
    assert {"memory", "decay", "delta rule"} <= set(found.tags) and len(found.tags) <= 6
    abstract, extract = found.text.split("\n\n")
    assert abstract == f"**Abstract.** {ABSTRACT}"
    assert "a_t = sigmoid(w x_t) for every key channel" in extract
    assert "trained in chunks" in extract
    assert "coffee" not in extract and "Nothing of note" not in extract
    assert "2301.00001" not in extract


def test_a_short_note_stays_as_it_is() -> None:
    text = "# Idea\n\n- tie the decays\n- S = a S\n\n```\nS = a * S\n```"
    found = extract_entry(document(text, "idea.md", "Idea"))
    assert (found.text, found.id, found.authors, found.year) == (text, "idea", "", 0)


@pytest.mark.parametrize(
    ("name", "title", "text", "id"),
    [
        ("2509.01234v3.pdf", TITLE, "arXiv:2301.00001", "2509.01234"),
        ("a.pdf", TITLE, "https://arxiv.org/abs/2301.00001v2", "2301.00001"),
        ("a.pdf", TITLE, "we follow 2301.00001", "braided-memories-for-linear-attention"),
        ("a.pdf", TITLE, "x " * 2000 + "arXiv:2301.00001", "braided-memories-for-linear-attention"),
        ("v2399.0123.pdf", "Ünï & Co.", "", "n-co"),
        ("notes.md", "12", "", "notes-md"),
        ("12.md", "記憶", "", "12-md"),
        ("記憶.txt", "記憶", "", "txt"),
        ("a.md", "word " * 30, "", "-".join(["word"] * 12)),
        ("a.md", "x" * 90, "", "x" * 60),
    ],
)
def test_identifiers(name: str, title: str, text: str, id: str) -> None:
    assert identifier(Document(name, title, text)) == id


def test_years() -> None:
    assert year(Document("a.pdf", TITLE, "In 1999 and 2048 tokens", 2021)) == 2021
    assert year(Document("a.pdf", TITLE, "window of 2048, 0.2019, June 2019")) == 2019
    assert year(Document("a.pdf", TITLE, "nothing", 1066)) == 0
    assert year(Document("1706.03762.pdf", TITLE, "2019", 2021)) == 2017


@pytest.mark.parametrize(
    ("head", "authors"),
    [
        ("by Ada Lovelace\n", "Ada Lovelace"),
        ("Authors: Ada Lovelace & Grace B. M. Hopper\n", "Ada Lovelace, Grace B. M. Hopper"),
        ("Key Ideas\nMore Words\n", ""),
        (
            "University of Somewhere\nAda Lovelace1 and Grace Hopper2\n\nAbstract\nWe",
            "Ada Lovelace, Grace Hopper",
        ),
        (f"{TITLE}\nada@example.org\n\nAbstract. We", ""),
        ("by hand we derive\n", ""),
    ],
)
def test_authors(head: str, authors: str) -> None:
    assert extract_entry(document(head)).authors == authors


def test_an_abstract_without_an_end_is_cut_at_a_sentence() -> None:
    text = extract_entry(document("Abstract\n" + "We say the same thing again. " * 300)).text
    assert text.startswith("**Abstract.** We say") and text.endswith("again.")
    assert len(text) < 1700


def test_a_long_document_of_another_form_has_an_extract_too() -> None:
    assert extract_entry(document("word " * 2000)).text == ("word " * 2000)[:1600]
    assert extract_entry(document("References\n" + "[1] A paper. " * 500)).text


def test_a_megabyte_is_quick_and_bounded() -> None:
    text = (
        PAPER.replace("References", "")
        + "and and and, The state S = a S keeps a memory here. " * 20_000
    )
    found = extract_entry(document(text))
    assert len(found.text) < 3_500 and found.id == "2509.01234"
