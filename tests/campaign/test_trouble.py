"""What a campaign does when something outside it goes wrong, or a budget ends."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asi_arch.errors import UserError
from asi_arch.launch import new_campaign, reopen_campaign
from asi_arch.records import Status
from asi_arch.store import Store
from tests.campaigns import run_campaign, text_folder, tiny_config, tiny_settings

ROOT = Path(__file__).parents[2]
PRIVATE = ["unshare", "--user", "--map-root-user", "--mount"]


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    attempt = [*PRIVATE, "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(attempt, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="this machine lets nobody mount a small disk")
def test_a_full_disk_stops_the_campaign_and_loses_nothing(tmp_path: Path) -> None:
    text, disk = text_folder(tmp_path / "text"), tmp_path / "disk"
    disk.mkdir()
    words = [word for setting in tiny_settings(text) for word in ("--set", setting)]
    run = shlex.join([sys.executable, "-m", "asi_arch", "run", "--db", str(disk / "a.db"), *words])
    resume = shlex.join([sys.executable, "-m", "asi_arch", "resume", "--db", str(disk / "a.db")])
    script = f"""
        mount -t tmpfs -o size=1500k none {disk} && {run}; echo "first $?" >&2
        mount -o remount,size=100m {disk} && {resume}; echo "second $?" >&2
    """
    done = subprocess.run(
        [*PRIVATE, "sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "first 2" in done.stderr and "full" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert "second 0" in done.stderr, done.stderr
    assert done.stderr.count("kept from jobs: nothing") in (0, 2), done.stderr


def test_wall_time_stops_new_experiments_and_more_of_it_goes_on(tmp_path: Path) -> None:
    text = text_folder(tmp_path / "text")
    config = tiny_config(text, "budget.minutes=0.0001", "budget.experiments=2")
    record, conclusion = run_campaign(str(tmp_path / "a.db"), config, tmp_path)
    assert conclusion is None
    assert record.status == "stopped" and "minutes are spent" in record.reason
    with Store.open(str(tmp_path / "a.db")) as store:
        assert store.experiments(record.id, kind="candidate") == []
        more = reopen_campaign(store, None, ["budget.minutes=60"])
        assert more.config["budget"]["minutes"] == 60
        with pytest.raises(UserError, match=r"explore\.tokens"):
            reopen_campaign(store, None, ["explore.tokens=5000"])


def test_a_data_folder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "nowhere")
    with pytest.raises(UserError, match="nowhere"):
        run_campaign(str(tmp_path / "a.db"), config, tmp_path)
    with Store.open(str(tmp_path / "a.db")) as store:
        assert store.campaign().status == "stopped"


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    config = tiny_config(text_folder(tmp_path / "text"))
    with (
        Store.open(str(tmp_path / "a.db")) as store,
        pytest.raises(UserError, match="cannot write"),
    ):
        new_campaign(store, config, tmp_path / "file")


def test_candidates_that_cannot_train_are_rows(tmp_path: Path) -> None:
    """Jobs without time: verification is cut off, repaired, and finally rejected."""
    text = text_folder(tmp_path / "text")
    config = tiny_config(text, "verify_limits.seconds=0.01", "budget.experiments=1")
    with pytest.raises(
        Exception, match=r"the baseline .* cannot be run: job: the wall-clock limit"
    ):
        run_campaign(str(tmp_path / "a.db"), config, tmp_path)
    with Store.open(str(tmp_path / "a.db")) as store:
        baselines = store.experiments(store.campaign().id, kind="baseline")
    assert Status.REJECTED in {baseline.status for baseline in baselines}
