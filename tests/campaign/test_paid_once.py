"""kill -9 between questions and answers, then resume: no stored reply is asked for again.

The jobs are simulated, so that nearly all of the time goes into questions; the process, its
database and its HTTP are real.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from asi_arch.launch import new_campaign
from asi_arch.store import Store
from asi_arch.testing import LLMServer, llm_server
from asi_arch.testing.faults import AnyFault
from asi_arch.testing.scripted_answers import answer
from tests.campaigns import dump, tiny_config
from tests.over_http import play
from tests.watching import eventually

KILLS = 10
LATENCY = 0.1
ROOT = Path(__file__).parents[2]


class Faults:
    """One request in five fails, by its number; `answered` holds the numbers of the others."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        kinds: list[AnyFault] = [500, 429, 503, "reset", "truncate", "garbage"]
        self.planned = [rng.choice(kinds) if rng.random() < 0.2 else 200 for _ in range(2000)]
        self.answered: set[int] = set()

    def __call__(self, number: int, body: dict[str, Any]) -> AnyFault:
        if self.planned[number] == 200:
            self.answered.add(number)
        return self.planned[number]


def settings(url: str) -> list[str]:
    http = {"backend": "openai", "base_url": url, "model": "scripted"}
    roles = [
        f"roles.{role}.{key}={value}"
        for role in ("researcher", "engineer", "analyst")
        for key, value in http.items()
    ]
    return ["team=llm", "search.in_flight=2", "novelty.similarity=0", *roles]


def start(database: Path) -> subprocess.Popen[bytes]:
    """Go on with a campaign in a process session of its own."""
    with (database.parent / "errors.txt").open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.over_http", str(database)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def keys(server: LLMServer) -> list[str]:
    """The key of every question in the order in which they came."""
    return [request.headers["idempotency-key"] for request in list(server.requests)]


def stored(database: Path) -> Counter[str]:
    """How many replies are stored for each key."""
    with Store.open(str(database)) as store:
        return Counter(call.key for call in store.calls(1) if call.status == "answered")


def test_every_reply_is_paid_once_whenever_the_process_is_killed(tmp_path: Path) -> None:
    database, faults, rng = tmp_path / "killed.db", Faults(5), random.Random(7)
    with llm_server(answer, latency=LATENCY, faults=faults) as server:
        with Store.open(str(database)) as store:
            new_campaign(store, tiny_config(tmp_path, *settings(server.url)), tmp_path)
        before, known = 0, Counter[str]()
        for _ in range(KILLS):
            process, more = start(database), server.received + rng.randint(1, 2)
            assert eventually(lambda: server.received >= more, seconds=30)  # noqa: B023
            time.sleep(rng.uniform(0, 2 * LATENCY))
            kill(process)
            assert not set(keys(server)[before:]) & set(known)
            before, known = server.received, stored(database)
        check_not_asked_again(server, database, before, known)
    check_undisturbed(database, tmp_path)
    check_payments(server, faults, database)


def check_not_asked_again(
    server: LLMServer, database: Path, before: int, known: Counter[str]
) -> None:
    """The last sitting ends the campaign, and asks for nothing that was stored before."""
    process = start(database)
    assert process.wait(timeout=60) == 0, (database.parent / "errors.txt").read_text()
    assert known and not set(keys(server)[before:]) & set(known)


def check_payments(server: LLMServer, faults: Faults, database: Path) -> None:
    """Each stored reply came once, but where an earlier one was lost with the process."""
    with Store.open(str(database)) as store:
        calls = store.calls(1)
    assert {call.status for call in calls} <= {"answered", "failed"}
    lost = Counter(call.key for call in calls if call.status == "failed")
    assert lost and all("interrupted" in call.error for call in calls if call.status == "failed")
    asked = keys(server)
    answers = Counter(asked[number] for number in faults.answered)
    assert set(stored(database).values()) == {1} and set(answers) == set(stored(database))
    assert {key: count for key, count in answers.items() if count > 1 + lost[key]} == {}


def check_undisturbed(database: Path, folder: Path) -> None:
    """The killed campaign has found the same as one that nobody disturbed."""
    whole = folder / "whole"
    whole.mkdir()
    with llm_server(answer) as server:
        play(tiny_config(folder, *settings(server.url)), whole)
    killed, undisturbed = dump(str(database)), dump(str(whole / "a.db"))
    del killed["campaigns"], undisturbed["campaigns"]  # they name their servers
    assert len(killed["experiments"]) == 6 and killed == undisturbed
