import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asi_arch.knowledge as knowledge
from asi_arch.errors import UserError
from asi_arch.knowledge import entry, format_entry, load_entries, parse_entry
from asi_arch.records import Entry

SECTIONS = ("**Problem.**", "**Mechanism.**", "**When it helps.**", "**Pitfalls.**")


def test_entries_have_the_format() -> None:
    assert len(load_entries()) >= 30
    for item in load_entries():
        assert re.fullmatch(r"\d{4}\.\d{5}", item.id)
        assert item.year == 2000 + int(item.id[:2])
        assert item.title and item.authors and len(item.tags) >= 3
        assert all(section in item.text for section in SECTIONS), item.id


def test_mechanisms_show_equations() -> None:
    equations = [item.id for item in load_entries() if " = " in item.text]
    assert len(equations) >= 35


def test_entries_are_short_files() -> None:
    for path in (Path(knowledge.__file__).parent / "entries").glob("*.md"):
        lines = path.read_text().splitlines()
        assert 8 <= len(lines) <= 25 and max(map(len, lines)) <= 400, path.name


def test_entries_are_unique_and_related_entries_exist() -> None:
    entries = load_entries()
    ids = {item.id for item in entries}
    assert len(ids) == len(entries) == len({item.title for item in entries})
    for item in entries:
        assert item.related and set(item.related) <= ids - {item.id}, item.id


def test_required_entries_are_there() -> None:
    for id in ("2406.06484", "2412.06464", "2510.26692", "2404.05892", "2507.18074"):
        assert entry(id).id == id


def test_unknown_entry_is_a_user_error() -> None:
    with pytest.raises(UserError, match=re.escape("1234.5")):
        entry("1234.5")


@pytest.mark.parametrize("text", ["no header", "+++\ntitle = 1\n+++\nbody", "+++\nx\n+++\n"])
def test_a_broken_header_is_a_user_error(text: str) -> None:
    with pytest.raises(UserError, match=re.escape("9999.00000")):
        parse_entry("9999.00000", text)


def test_titles_differ_in_more_than_case() -> None:
    titles = [item.title.casefold() for item in load_entries()]
    assert len(set(titles)) == len(titles)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(title=TEXT, authors=TEXT, tags=st.lists(TEXT), body=st.text("ab +\n*é"), source=TEXT)
def test_format_is_the_inverse_of_parse(
    title: str, authors: str, tags: list[str], body: str, source: str
) -> None:
    item = Entry(
        id="x",
        title=title,
        authors=authors,
        year=2024,
        tags=tuple(tags),
        related=("2412.06464",),
        text=body.strip(),
        source=source,
    )
    assert parse_entry("x", format_entry(item)) == item


def test_shipped_entries_survive_formatting() -> None:
    for item in load_entries():
        assert parse_entry(item.id, format_entry(item)) == item
