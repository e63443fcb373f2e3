import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from asi_arch.store import Store

ROOT = Path(__file__).parents[2]

WRITE = """
import sys
from asi_arch.store import Store
with Store.open(sys.argv[1]) as store:
    print("open", flush=True)
    campaign = store.campaign()
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        started = store.start_experiment(campaign.id, number, "candidate")
        store.log_event(campaign.id, started.id, "n", str(number))
"""

OPEN = """
import sys
from asi_arch.store import Store
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    store.create_campaign("one of two", 0, {}, "")
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], expected: int = 0) -> None:
    process.communicate(timeout=60)
    assert process.returncode == expected


def test_one_reads_what_others_write(database_url: str) -> None:
    with Store.open(database_url) as store:
        campaign = store.create_campaign("shared", 0, {}, "")
        writers = [start(WRITE, database_url, "0", "40"), start(WRITE, database_url, "40", "80")]
        while any(writer.poll() is None for writer in writers):
            events = len(store.events(campaign.id))
            assert events <= len(store.experiments(campaign.id))
        for writer in writers:
            finish(writer)
        assert [e.number for e in store.experiments(campaign.id)] == list(range(80))
        assert len(store.events(campaign.id)) == 80


def test_a_killed_writer_loses_nothing_it_finished(database_url: str) -> None:
    with Store.open(database_url) as store:
        campaign = store.create_campaign("shared", 0, {}, "")
        writer = start(WRITE, database_url, "0", "100000")
        while len(store.events(campaign.id)) < 5:
            assert writer.poll() is None
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
        finish(writer, -signal.SIGKILL)
    with Store.open(database_url, create=False) as store:
        numbers = [e.number for e in store.experiments(campaign.id)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) - len(store.events(campaign.id)) in (0, 1)
        store.start_experiment(campaign.id, 100_000, "candidate")


def test_two_make_the_same_new_database(database_url: str) -> None:
    both = [start(OPEN, database_url) for _ in range(2)]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        finish(process)
    with Store.open(database_url, create=False) as store:
        assert len(store.campaigns()) == 2
