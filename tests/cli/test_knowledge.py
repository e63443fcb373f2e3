"""`asi-arch knowledge`, with and without a database."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from asi_arch.knowledge import entry, format_entry, load_entries, parse_entry
from asi_arch.store import Store
from asi_arch.testing import LLMServer, llm_server
from tests.knowledge.papers import PAPER, pdf

Call = Callable[..., Result]
ANSWER = {
    "title": "Braided Memories",
    "authors": "Ada Lovelace",
    "year": 2025,
    "tags": ["braid"],
    "problem": "One decay.",
    "mechanism": "Two.",
    "measured": "",
    "when_it_helps": "",
    "pitfalls": "",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LLMServer]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with llm_server(lambda messages: json.dumps(ANSWER)) as server:
        yield server


@pytest.fixture
def done(call: Call) -> Callable[..., str]:
    """Run a command of knowledge that succeeds and return what it prints, on one line."""

    def done(*arguments: object) -> str:
        result = call("knowledge", *arguments)
        assert result.exit_code == 0, result.output
        return re.sub(r"\s+", " ", result.stdout)

    return done


@pytest.fixture
def refused(call: Call) -> Callable[..., str]:
    """Run a command of knowledge that fails by a mistake and return the sentence."""

    def refused(*arguments: object) -> str:
        result = call("knowledge", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        return result.stderr

    return refused


Run = Callable[..., str]


def ids(text: str) -> list[str]:
    return [entry["id"] for entry in json.loads(text)["entries"]]


def test_reading_needs_no_database(done: Run) -> None:
    assert "2412.06464 2024 Gated Delta Networks" in done("search", "gated delta rule")
    assert len(ids(done("search", "decay gating", "--limit", 3, "--json"))) == 3
    assert ids(done("list", "--json")) == [entry.id for entry in load_entries()]
    assert not Path("asi-arch.db").exists()


def test_a_database_that_is_named_must_exist(refused: Run) -> None:
    assert "missing.db" in refused("search", "decay", "--db", "missing.db")


def test_search_that_finds_nothing(done: Run) -> None:
    assert "nothing found; try other words" in done("search", "xylophone")
    assert ids(done("search", "xylophone", "--json")) == []


def test_show(done: Run, refused: Run) -> None:
    text = done("show", "2412.06464")
    for part in (
        "2412.06464 Gated Delta Networks: Improving Mamba2 with Delta Rule",
        "authors: Songlin Yang",
        "year: 2024",
        "tags: gated DeltaNet, delta rule",
        "related: 2406.06484 Parallelizing Linear Transformers",
        "Mechanism. S_t = alpha_t S_{t-1}",
    ):
        assert part in text
    assert "**" not in text
    assert json.loads(done("show", "2412.06464", "--json"))["year"] == 2024
    assert "there is no knowledge entry 'nothing'" in refused("show", "nothing")


@pytest.mark.parametrize("command", ["search decay", "list", "show 2412.06464"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_all_keeps_to_the_width(
    call: Call, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = call("knowledge", *command.split()).stdout.splitlines()
    assert lines and max(map(len, lines)) <= width


def test_list_by_tag_and_year(done: Run, refused: Run) -> None:
    found = ids(done("list", "--tag", "Delta Rule", "--year", 2024, "--json"))
    assert "2412.06464" in found and "2102.11174" not in found
    assert f"0 of {len(load_entries())} entries" in done("list", "--year", 1900)
    assert "no entry has the tag 'delta'; tags like it: delta rule" in refused(
        "list", "--tag", "delta"
    )
    assert "tags like it: none" in refused("list", "--tag", "xylophone")


def test_add_find_replace_and_remove(done: Run, refused: Run) -> None:
    Path("paper.pdf").write_bytes(pdf([(18, "A Xylophone Memory"), (10, "arXiv:2509.01234")]))
    Path("my note.md").write_text("# Xylophones\nRead twice.")
    said = done("add", "paper.pdf", "my note.md")
    assert "added 2509.01234: A Xylophone Memory (from paper.pdf)" in said
    assert "added xylophones: Xylophones (from my note.md)" in said
    assert set(ids(done("search", "xylophones", "--json"))) == {"2509.01234", "xylophones"}
    assert "Xylophones – my note.md" in done("search", "xylophones")
    assert "added from: paper.pdf" in done("show", "2509.01234")
    (again,) = json.loads(done("add", "my note.md", "--json"))["entries"]
    assert again["replaced"] and again["source"] == "my note.md"
    assert "replaced xylophones" in done("add", "my note.md")
    assert "removed xylophones" in done("remove", "xylophones")
    assert json.loads(done("remove", "2509.01234", "--json")) == {"removed": "2509.01234"}
    assert "nothing found" in done("search", "xylophones")
    assert "xylophones" in refused("remove", "xylophones")


def test_shipped_entries_stay(refused: Run) -> None:
    Path("2412.06464.txt").write_text("text")
    assert "ships with asi-arch and cannot be replaced" in refused("add", "2412.06464.txt")
    assert not Path("asi-arch.db").exists()
    assert "ships with asi-arch and cannot be removed" in refused("remove", "2412.06464")


def test_nothing_is_added_before_all_files_are_read(refused: Run) -> None:
    Path("note.md").write_text("text")
    assert "there is no file missing.md" in refused("add", "note.md", "missing.md")
    assert not Path("asi-arch.db").exists()


def test_an_entry_goes_out_and_in_again(done: Run) -> None:
    mine = load_entries()[0].model_copy(update={"id": "mine"})
    Path("mine.md").write_text(format_entry(mine))
    done("add", "mine.md", "--db", "other.db", "--model", "never-asked", "--backend", "scripted")
    with Store.open("other.db") as store:
        assert store.knowledge() == [mine.model_copy(update={"source": "mine.md"})]


def test_a_model_writes_the_entry(done: Run, server: LLMServer) -> None:
    Path("paper.txt").write_text(PAPER)
    said = done("add", "paper.txt", "--model", "small", "--base-url", server.url)
    assert "added 2509.01234: Braided Memories (from paper.txt)" in said
    assert re.search(r"the model used [\d ]+ tokens", said)
    shown = json.loads(done("show", "2509.01234", "--json"))
    assert shown["text"] == "**Problem.** One decay.\n\n**Mechanism.** Two."
    assert "Ada Lovelace1,2, Charles van Babbage" in server.bodies[0]["messages"][1]["content"]


def test_a_model_that_is_not_there(call: Call, refused: Run, server: LLMServer) -> None:
    Path("note.md").write_text("text")
    assert "no model is named" in refused("add", "note.md", "--base-url", server.url)
    assert "unknown backend 'none'" in refused("add", "note.md", "--backend", "none")
    assert "OPENAI_API_KEY is not set" in refused("add", "note.md", "--model", "small")
    server.answer = lambda messages: "no"
    result = call("knowledge", "add", "note.md", "--model", "small", "--base-url", server.url)
    assert result.exit_code == 1 and "gave no usable answer" in result.stderr


def test_search_by_meaning_keeps_vectors(done: Run, refused: Run, server: LLMServer) -> None:
    Path("note.md").write_text("# Xylophones\nRead twice.")
    done("add", "note.md")
    model = ("--embedding-model", "m", "--embedding-url", server.url)
    assert ids(done("search", "xylophones", *model, "--json"))[0] == "xylophones"
    before = server.received
    assert "Xylophones" in done("search", "xylophones", *model)
    assert server.received == before + 1
    assert "--embedding-url x needs a model" in refused("search", "x", "--embedding-url", "x")


def test_search_by_meaning_without_a_database(done: Run, server: LLMServer) -> None:
    model = ("--embedding-model", "m", "--embedding-url", server.url)
    assert len(ids(done("search", "xylophones", *model, "--json"))) == 5
    assert not Path("asi-arch.db").exists()


def test_campaign_entries_and_added_ones_side_by_side(done: Run, populated: Any) -> None:
    assert ids(done("list", "--json", "--db", populated.db)) == [e.id for e in load_entries()]


def test_an_entry_is_printed_as_its_file(call: Callable[..., Any]) -> None:
    shown = call("knowledge", "show", "2412.06464", "--markdown").stdout
    assert parse_entry("2412.06464", shown) == entry("2412.06464")
