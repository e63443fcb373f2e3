import re
from pathlib import Path

import pytest

import asi_arch.knowledge as knowledge
from asi_arch.errors import UserError
from asi_arch.knowledge import entry, load_entries, parse_entry, search

SECTIONS = ("**Problem.**", "**Mechanism.**", "**When it helps.**", "**Pitfalls.**")
QUERIES = {
    "overwrite an old value with a correction at a key": "2102.11174",
    "parallel chunked training of the delta rule": "2406.06484",
    "decay and delta rule together": "2412.06464",
    "decay gate per key channel, trained in chunks": "2312.06635",
    "fixed multi-scale decay per head": "2307.08621",
    "elu + 1 feature map": "2006.16236",
    "parity needs eigenvalue -1": "2411.12537",
    "rotary position": "2104.09864",
    "normalise queries and keys against divergence": "2302.05442",
    "why is a short depthwise convolution after q, k, v useful?": "2109.08668",
    "token shift": "2305.13048",
    "forget gate lower bound that grows with depth": "2404.07904",
    "hierarchical states, logarithmic memory": "2506.04761",
    "Taylor feature map and sliding window": "2402.18668",
    "synthetic associative recall probe": "2312.04927",
    "replace the attention denominator by a norm on the output": "2210.10340",
    "momentum and surprise in a memory trained at test time": "2501.00663",
    "selective state space model, step size depends on the token": "2312.00752",
    "sigmoid output gate removes attention sinks": "2505.06708",
    "positive random features that estimate softmax": "2009.14794",
}


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


@pytest.mark.parametrize(("query", "id"), QUERIES.items())
def test_search_finds_the_right_entry(query: str, id: str) -> None:
    assert id in [found.id for found in search(query)]


def test_search_by_identifier_comes_first() -> None:
    assert search("2412.06464")[0].id == "2412.06464"


@pytest.mark.parametrize(
    "query", ['"', "'; DROP TABLE entries; --", "NEAR(a b)", "delta AND", "title:*", "(", "-", "\0"]
)
def test_no_query_breaks_the_search(query: str) -> None:
    assert len(search(query)) <= 5


def test_search_of_nothing_is_empty_and_limit_holds() -> None:
    assert search("") == search("?!") == []
    assert len(search("attention", limit=3)) == 3


def test_unknown_entry_is_a_user_error() -> None:
    with pytest.raises(UserError, match=re.escape("1234.5")):
        entry("1234.5")


@pytest.mark.parametrize("text", ["no header", "+++\ntitle = 1\n+++\nbody", "+++\nx\n+++\n"])
def test_a_broken_header_is_a_user_error(text: str) -> None:
    with pytest.raises(UserError, match=re.escape("9999.00000")):
        parse_entry("9999.00000", text)
