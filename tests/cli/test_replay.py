"""A recorded campaign again, without a call, to the same rows."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asi_arch.recording import load_recording, save_recording
from asi_arch.records import Entry
from asi_arch.store import Store
from asi_arch.testing import llm_server
from asi_arch.testing.scripted_answers import answer
from tests.campaigns import dump, run_campaign, text_folder, tiny_config

ROOT = Path(__file__).parents[2]
ROLES = ("researcher", "engineer", "analyst")
NOTE = Entry(
    id="my-note",
    title="Decay notes",
    authors="me",
    year=2026,
    tags=("decay", "gating", "recall"),
    text="linear attention recall decay gating deltanet",
    source="note.md",
)


def asi_arch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asi_arch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A recording of the second campaign of a database, and that database."""
    folder = tmp_path_factory.mktemp("recorded")
    text = text_folder(folder / "text")
    with llm_server(answer) as server:
        settings = ["team=llm"]
        for role in ROLES:
            settings += [f"roles.{role}.base_url={server.url}", f"roles.{role}.model=m"]
        config = tiny_config(text, *settings)
        database = str(folder / "first.db")
        with Store.open(database) as store:
            store.save_knowledge([NOTE])
        run_campaign(database, tiny_config(text, "budget.experiments=1"), folder)
        run_campaign(database, config, folder)
    path = folder / "campaign.jsonl"
    with Store.open(database) as store:
        assert save_recording(store, store.campaign(), path) == len(store.calls(2)) > 10
    return path, database


def test_a_replay_ends_with_the_same_rows(recorded: tuple[Path, str], tmp_path: Path) -> None:
    path, first = recorded
    done = asi_arch("replay", str(path), "--db", str(tmp_path / "again.db"))
    assert done.returncode == 0, done.stderr
    assert "the prompts of 0 differ from the recorded ones" in done.stderr
    before, after = dump(first), dump(str(tmp_path / "again.db"))
    ids = {row["id"] for row in after["experiments"]}
    assert min(ids) > 1, "the recorded campaign was not the first of its database"
    for table in ("experiments", "proposals", "components", "runs", "scores", "analyses"):
        rows = [r for r in before[table] if r.get("experiment_id", r.get("id")) in ids]
        assert [_plain(row) for row in rows] == [_plain(row) for row in after[table]], table


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "campaign_id"}


def test_what_was_added_to_the_knowledge_base_is_recorded(recorded: tuple[Path, str]) -> None:
    assert load_recording(recorded[0]).entries == (NOTE,)


def test_mistakes_are_explained(
    call: Callable[..., Any], recorded: tuple[Path, str], tmp_path: Path
) -> None:
    path, first = recorded
    broken = tmp_path / "broken.jsonl"
    broken.write_text(path.read_text().replace('"kind": "campaign", "version": 1', '"kind": "x"'))
    rules = tmp_path / "rules.jsonl"
    with Store.open(first) as store:
        save_recording(store, store.campaign(1), rules)
    for arguments, sentence in [
        ((str(tmp_path / "none.jsonl"),), "cannot read the recording"),
        ((str(broken),), "is no recording of a campaign"),
        ((str(rules),), "campaign of team rules: nothing was asked"),
        ((str(path), "--db", first), "needs a database of its own"),
        ((str(path), "--db", "postgresql://localhost/x"), "needs a database of its own"),
    ]:
        result = call("replay", *arguments)
        assert result.exit_code == 2, result.stderr
        assert sentence in " ".join(result.stderr.split())
