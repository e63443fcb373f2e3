"""One training on two processes that torchrun starts, on the CPU (gloo)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import PLAIN

SIZES = {
    "data.source": "files",
    "data.heldout_percent": "40",
    "explore.tokens": "4096",
    "explore.batch_size": "4",
    "explore.length": "64",
    "explore.hidden_size": "32",
    "explore.parameters": "30000",
}


def write_texts(folder: Path) -> Path:
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.txt").write_text(f"{number} is a number. " * 400)
    return folder


def train(tmp_path: Path, processes: int, out: str, *more: str) -> subprocess.CompletedProcess[str]:
    texts = tmp_path / "texts"
    sizes = SIZES | {"data.files": str(texts if texts.exists() else write_texts(texts))}
    program = tmp_path / "layer.py"
    program.write_text(PLAIN)
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    settings = [word for key, value in sizes.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, *start, "-m", "asi_arch.train", str(program), "--stage", "explore"]
    return subprocess.run(
        [*command, "--out", str(tmp_path / out), *settings, *more],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def reported(folder: Path) -> float:
    return float(json.loads((folder / "training.json").read_text())["reported"])


@pytest.mark.parametrize("sharing", ["replicas", "shards"])
def test_two_processes_train_what_one_does(tmp_path: Path, sharing: str) -> None:
    for processes in (1, 2):
        done = train(tmp_path, processes, f"run{processes}", "--sharing", sharing)
        assert done.returncode == 0, done.stderr
    one, two = tmp_path / "run1", tmp_path / "run2"
    assert reported(two) == pytest.approx(reported(one), abs=1e-4)
    sizes = [(folder / "weights.safetensors").stat().st_size for folder in (one, two)]
    assert sizes[0] == sizes[1] > 4 * 29_000
    assert len((two / "metrics.jsonl").read_text().splitlines()) >= 16


def test_a_batch_that_cannot_be_shared_is_explained(tmp_path: Path) -> None:
    done = train(tmp_path, 2, "run", "--set", "explore.batch_size=3")
    assert "batch_size = 3 cannot be shared evenly by 2 processes" in done.stderr
    assert done.returncode != 0
