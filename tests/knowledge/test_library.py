import gc
import re
import sqlite3
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asi_arch.knowledge import Library, load_entries, search
from asi_arch.knowledge.library import by_meaning, fuse
from asi_arch.knowledge.words import keywords, spelled
from asi_arch.records import Entry

QUERIES: list[dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "queries.toml").read_text(encoding="utf-8")
)["query"]
SHARE = 0.9  # of the queries that must find their entry among the first five
NOTE = Entry(id="note", title="A note", authors="", year=0, tags=(), text="zebra crossing")


def ids(entries: Sequence[Entry]) -> list[str]:
    return [entry.id for entry in entries]


def test_queries_are_about_entries_and_none_is_there_twice() -> None:
    texts = [query["text"] for query in QUERIES]
    assert len(texts) == len(set(texts)) >= 60
    assert {query["id"] for query in QUERIES} <= set(ids(load_entries()))


def test_most_queries_find_their_entry_among_the_first_five() -> None:
    missed = [q["text"] for q in QUERIES if q["id"] not in ids(search(q["text"], limit=5))]
    print(f"{len(QUERIES) - len(missed)} of {len(QUERIES)} found; missed: {missed}")
    assert len(missed) <= (1 - SHARE) * len(QUERIES), missed


def test_search_by_identifier_comes_first() -> None:
    assert all(search(f"what does {id} say")[0].id == id for id in ids(load_entries()))


STRANGE = ['"', "'; DROP TABLE entries; --", "NEAR(a b)", "delta AND", "title:*", "(", "-", "\0"]
LONG = ["delta " * 100_000, " ".join(f"w{n}" for n in range(5000))]


@pytest.mark.parametrize("query", [*STRANGE, *LONG, "*", "^delta", "{title} : x", "\ud800"])
def test_no_query_breaks_the_search(query: str) -> None:
    assert len(search(query)) <= 5


def test_search_of_nothing_is_empty_and_limit_holds() -> None:
    assert search("") == search("?!") == search("delta", limit=0) == search("delta", limit=-1) == []
    assert len(search("attention", limit=3)) == 3


def test_a_library_holds_its_own_entries_only() -> None:
    assert ids(Library([NOTE]).search("ZEBRAS")) == ["note"]
    assert Library([NOTE]).search("delta rule") == Library([]).search("zebra") == []


def test_spelling_and_stop_words_do_not_matter() -> None:
    assert search("normalization behavior") == search("the Normalisation of a behaviour")
    assert spelled("optimised NEIGHBOURS, modelling; analyse this noise") == (
        "optimized neighbors, modeling; analyze this noize"
    )
    assert keywords("What is RoPE in an SSM of 2412.06464?") == (
        ["rope", "rotary", "ssm", "state space", "2412.06464"]
    )
    assert keywords("what is it") == ["what", "is", "it"]


def test_a_library_serves_other_threads() -> None:
    library = Library([NOTE])
    with ThreadPoolExecutor() as threads:
        assert threads.submit(library.search, "zebra").result() == [NOTE]


def test_a_library_closes_its_index_with_itself() -> None:
    library = Library([NOTE])
    index = library._index
    del library
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        index.execute("SELECT 1")


def test_fusion_by_reciprocal_rank() -> None:
    assert fuse([[1, 2, 3], [3, 1]]) == [1, 3, 2]
    assert fuse([[4, 5], [5, 4]]) == [4, 5]
    assert fuse([[], [2, 0]]) == [2, 0]
    assert fuse([]) == []


class Reader:
    """Finds near what shares a letter with the query."""

    def similarities(self, query: str, entries: Sequence[Entry]) -> list[float]:
        return [len(set(query) & set(re.sub("[^qx]", "", entry.text))) for entry in entries]


def test_meaning_finds_what_words_do_not() -> None:
    far, near = (NOTE.model_copy(update={"id": id, "text": id}) for id in ("aaa", "qqq"))
    entries = [far, NOTE, near]
    assert by_meaning(Reader(), "q zebra", entries) == [2, 0, 1]
    library = Library(entries, Reader())
    assert ids(library.search("q zebra")) == ["note", "qqq", "aaa"]
    assert ids(library.search("q")) == ["qqq", "aaa", "note"]
    assert library.search("  ") == []
