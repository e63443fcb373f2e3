"""kill -9 of the whole process tree at any moment, then resume: nothing lost, nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from asi_arch.errors import UserError
from asi_arch.jobs.linux import processes
from asi_arch.store import Store
from tests.campaigns import dump, run_campaign, text_folder, tiny_config, tiny_settings
from tests.watching import eventually, working_in

KILLS = 8
"""Enough for every phase to be hit; twenty of them take minutes."""
ROOT = Path(__file__).parents[2]


def start(database: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a command of its own in a process session of its own."""
    with (database.parent / "errors.txt").open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "asi_arch", *words, "--db", str(database)],
            cwd=database.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def tree(root: int) -> list[int]:
    """Return the process and all its descendants."""
    children: dict[int, list[int]] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process.pid)
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def kill_tree(command: subprocess.Popen[bytes]) -> None:
    for pid in tree(command.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    command.wait()


def steps_done(database: Path) -> int:
    """Count the rows that tell of progress; -1 while there is no campaign."""
    try:
        with Store.open(str(database), create=False) as store:
            rows = store.info().rows
    except UserError:
        return -1
    return rows["runs"] + rows["findings"] + rows["analyses"] if rows["campaigns"] else -1


def wait_for_progress(database: Path, before: int, command: subprocess.Popen[bytes]) -> None:
    """Wait until there are more rows than before, or the command has ended."""
    eventually(lambda: command.poll() is not None or steps_done(database) > before, seconds=60)


@pytest.mark.parametrize("kills", [KILLS, pytest.param(20, marks=pytest.mark.slow)])
def test_a_campaign_survives_kills(tmp_path: Path, kills: int) -> None:
    text = text_folder(tmp_path / "text")
    settings = [*tiny_settings(text), "budget.experiments=5", "explore.tokens=8192"]
    words = [word for setting in settings for word in ("--set", setting)]
    database = tmp_path / "killed.db"
    rng, finished_early = random.Random(20), 0
    command = start(database, "run", *words)
    wait_for_progress(database, -1, command)
    for kill in range(kills):
        if kill % 2:
            wait_for_progress(database, steps_done(database), command)
        time.sleep(rng.uniform(0, 1.2))
        finished_early += command.poll() is not None
        kill_tree(command)
        assert eventually(lambda: not working_in(tmp_path / "killed.db.files"))
        command = start(database, "resume")
    assert command.wait(timeout=120) == 0, (tmp_path / "errors.txt").read_text()
    assert finished_early < kills / 2
    _check_against_undisturbed(database, settings, tmp_path)


def _check_against_undisturbed(database: Path, settings: list[str], folder: Path) -> None:
    """The killed campaign has the same rows as one that nobody disturbed."""
    text = folder / "text"
    run_campaign(str(folder / "whole.db"), tiny_config(text, *settings), folder / "whole")
    killed, whole = dump(str(database)), dump(str(folder / "whole.db"))
    numbers = Counter(e["number"] for e in killed["experiments"] if e["kind"] == "candidate")
    assert numbers == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    assert killed == whole


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    words = [w for s in tiny_settings(text_folder(tmp_path / "text")) for w in ("--set", s)]
    database = tmp_path / "stopped.db"
    command = start(database, "run", *words)
    wait_for_progress(database, 0, command)
    command.send_signal(signal.SIGINT)
    assert command.wait(timeout=30) == 130
    said = (tmp_path / "errors.txt").read_text()
    assert "asi-arch resume" in said and "Traceback" not in said
    assert not working_in(tmp_path / "stopped.db.files")
    with Store.open(str(database)) as store:
        assert store.campaign().status == "stopped"
    resumed = start(database, "resume")
    assert resumed.wait(timeout=120) == 0
    with Store.open(str(database)) as store:
        assert store.campaign().status == "complete"


def test_two_processes_cannot_run_the_same_campaign(tmp_path: Path) -> None:
    words = [w for s in tiny_settings(text_folder(tmp_path / "text")) for w in ("--set", s)]
    database = tmp_path / "shared.db"
    first = start(database, "run", *words, "--set", "budget.experiments=5")
    try:
        wait_for_progress(database, -1, first)
        second = start(database, "resume")
        assert second.wait(timeout=30) == 2
        assert "another process" in (tmp_path / "errors.txt").read_text()
    finally:
        kill_tree(first)
