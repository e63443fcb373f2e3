"""A preparation that is killed at any moment goes on and ends with the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asi_arch.data.manifest import Source
from asi_arch.data.preparation import prepare_folder
from asi_arch.data.request import Request
from asi_arch.data.sources import find_files
from tests.data.test_preparation import content, texts

ROOT = Path(__file__).parents[2]
KILLED_AT_A_CALL = """
import os, signal, sys
from pathlib import Path
from asi_arch.data import preparation, workers
from asi_arch.data.request import Request

workers.BATCH_CHARACTERS, preparation.CHECKPOINT_TOKENS = 3000, 6_000
request, out = Request.model_validate_json(sys.argv[1]), Path(sys.argv[2])
calls = 0

def dying(function):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        return result
    return call

# A kill, unlike a power cut, loses nothing that was written: no need to wait for the disk.
os.fsync, os.truncate = dying(lambda file: None), dying(os.truncate)
Path.replace, Path.unlink, Path.mkdir = map(dying, (Path.replace, Path.unlink, Path.mkdir))

def attempt(out, dying_at):
    "Whether a process that dies at a certain call came to its end before it."
    global last
    last = dying_at
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        assert status in (0, signal.SIGKILL), status
        return status == 0
    try:
        preparation.prepare_folder(request, out)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(3)
    os._exit(0)

moment = 1
while not attempt(out / str(moment) if sys.argv[3] == "once" else out, moment):
    if sys.argv[3] == "once":
        assert attempt(out / str(moment), 0)
    moment += 1
print(moment)
"""
WITH_WORKERS = """
import sys
import time
from pathlib import Path
from asi_arch.data import preparation, workers
from asi_arch.data.request import Request

if __name__ == "__main__":
    workers.BATCH_CHARACTERS, preparation.CHECKPOINT_TOKENS = 3000, 4000
    request, out = Request.model_validate_json(sys.argv[1]), Path(sys.argv[2])

    def tell(tokens):
        print(tokens, flush=True)
        time.sleep(0.05)  # whoever kills us comes in time

    preparation.prepare_folder(request, out, 2, tell)
"""


@pytest.fixture
def request_of_lines(tmp_path: Path) -> Request:
    some = texts(150)
    for name, rows in (("a", some[:60]), ("b", some[60:])):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    source = Source(kind="files", files=find_files([str(tmp_path / "*.jsonl")]))
    return Request(source=source, heldout_percent=20, shard_tokens=7000, tokens=20_000)


def python(script: Path | str, *arguments: object) -> subprocess.Popen[str]:
    command = ["-c", script] if isinstance(script, str) else [str(script)]
    return subprocess.Popen(
        [sys.executable, *command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def die(request: Request, out: Path, how: str) -> int:
    """Return how many calls that change the disk there were, or processes that died at one."""
    process = python(KILLED_AT_A_CALL, request.model_dump_json(), out, how)
    printed, trouble = process.communicate(timeout=100)
    assert process.returncode == 0, trouble
    return int(printed)


def test_killed_once_at_each_change_of_the_disk(request_of_lines: Request, tmp_path: Path) -> None:
    prepare_folder(request_of_lines, tmp_path / "whole")
    moments = die(request_of_lines, tmp_path / "killed", "once")
    wanted = content(tmp_path / "whole")
    assert moments > 30
    assert all(content(tmp_path / "killed" / str(n)) == wanted for n in range(1, moments + 1))


def test_killed_again_and_again(request_of_lines: Request, tmp_path: Path) -> None:
    """The first attempt dies at the first change of the disk, the next at its second, and so on."""
    prepare_folder(request_of_lines, tmp_path / "whole")
    assert die(request_of_lines, tmp_path / "killed", "again") > 10
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_killed_at_chance_with_workers(request_of_lines: Request, tmp_path: Path) -> None:
    prepare_folder(request_of_lines, tmp_path / "whole")
    script, out, rng = tmp_path / "prepare.py", tmp_path / "killed", random.Random(0)
    script.write_text(WITH_WORKERS)
    for lines in (2, 5):
        process = python(script, request_of_lines.model_dump_json(), out)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        time.sleep(rng.random() / 100)
        children = _children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert children and _end(children)
    process = python(script, request_of_lines.model_dump_json(), out)
    assert process.wait(timeout=60) == 0, process.communicate()[1]
    process.communicate()
    assert content(out) == content(tmp_path / "whole")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _end(pids: list[int]) -> bool:
    """Whether all of them end by themselves."""
    for _ in range(500):
        if not any(_runs(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
