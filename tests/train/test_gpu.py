"""What runs on a GPU does what its twin on the CPU does; skipped where there is no GPU."""

import asyncio
import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asi_arch.baselines import baseline_program
from asi_arch.config import Stage
from asi_arch.data import load
from asi_arch.data.shards import write_part
from asi_arch.jobs import LocalRunner
from asi_arch.jobs.spec import prepare_job
from asi_arch.measure import Examiner
from asi_arch.train.trainer import Task, train
from tests.campaigns import text_folder, tiny_config

pytestmark = pytest.mark.gpu

STAGE = Stage(
    tokens=65_536,
    batch_size=8,
    length=128,
    hidden_size=64,
    parameters=100_000,
    learning_rate=5e-3,
    compile=True,
)
CLOSE = 0.05
"""Nats per token between bfloat16 on a GPU and float32 on a CPU after 64 steps."""

OPERATORS = {
    "delta_rule": "chunk_delta_rule",
    "gated_delta_rule": "chunk_gated_delta_rule",
    "gla": "chunk_gla",
    "simple_gla": "chunk_simple_gla",
}


def inputs(name: str) -> dict[str, torch.Tensor]:
    """Queries, keys, values and gates of two sequences of 128 tokens."""
    torch.manual_seed(0)
    shape = (2, 128, 2, 32)
    q, k, v = (torch.randn(shape) for _ in range(3))
    given = {"q": q, "k": torch.nn.functional.normalize(k, dim=-1), "v": v}
    if "delta" in name:
        given["beta"] = torch.rand(shape[:3])
    if name == "gla":
        given["g"] = -torch.rand(shape)
    elif name != "delta_rule":
        given["g"] = -torch.rand(shape[:3])
    return given


def run(operator: Any, given: dict[str, torch.Tensor], where: str) -> list[torch.Tensor]:
    """Return the output of an operator and the gradients of its inputs, on the CPU."""
    kind = torch.bfloat16 if where == "cuda" else torch.float32
    moved = {
        key: value.to(where, torch.float32 if key == "g" else kind).requires_grad_()
        for key, value in given.items()
    }
    output = operator(**moved)[0]
    output.float().square().sum().backward()
    gradients = [value.grad for value in moved.values() if value.grad is not None]
    return [tensor.detach().float().cpu() for tensor in (output, *gradients)]


@pytest.mark.parametrize("name", OPERATORS)
def test_fla_kernels_agree_with_ours(name: str) -> None:
    theirs = getattr(importlib.import_module(f"fla.ops.{name}"), OPERATORS[name])
    ours = getattr(importlib.import_module(f"asi_arch.train.kernels.ops.{name}"), OPERATORS[name])
    given = inputs(name)
    for got, expected in zip(run(theirs, given, "cuda"), run(ours, given, "cpu"), strict=True):
        assert (got - expected).norm() <= 2e-2 * expected.norm()


@pytest.fixture
def task(tmp_path: Path) -> Task:
    write_part(tmp_path / "train", np.arange(100_000) % 64, 256)
    return Task(baseline_program("gated_deltanet").source, STAGE, 0, load(tmp_path / "train"))


def test_a_training_reaches_what_it_reaches_on_a_cpu(task: Task, tmp_path: Path) -> None:
    script = tmp_path / "cpu.py"
    script.write_text(
        "import torch; torch.set_num_threads(1)\n"
        "from asi_arch.train.kernels import install; install()\n"
        "from tests.train.test_gpu import *\n"
        f"text = load(Path({str(tmp_path / 'train.bin')!r}))\n"
        "task = Task(baseline_program('gated_deltanet').source, STAGE, 0, text)\n"
        "print(train(task, 'explore', lambda point: None)[1].reported)\n"
    )
    environment = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=environment
    )
    _, training = train(task, "explore", lambda point: None)
    assert training.device != "CPU" and training.compiled == "yes"
    assert training.reported == pytest.approx(float(done.stdout.split()[-1]), abs=CLOSE)


class Killed(BaseException):
    """Ends a training in its midst."""


def test_a_killed_training_goes_on_to_the_same_loss(task: Task, tmp_path: Path) -> None:
    def kill(point: Any) -> None:
        if point.step >= 30:
            raise Killed

    _, undisturbed = train(task, "explore", lambda point: None)
    stage = STAGE.model_copy(update={"checkpoint_minutes": 0})
    task = replace(task, stage=stage, saved=tmp_path / "checkpoint.safetensors")
    with pytest.raises(Killed):
        train(task, "explore", kill)
    _, resumed = train(task, "explore", lambda point: None)
    assert resumed.reported == pytest.approx(undisturbed.reported, abs=CLOSE)


def test_the_micro_batch_is_found(task: Task) -> None:
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        wide = STAGE.model_copy(update={"batch_size": 4096, "tokens": 4096 * 128})
        _, training = train(replace(task, stage=wide), "explore", lambda point: None)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert 1 <= training.micro_batch < 4096


def test_a_job_in_the_sandbox_uses_the_gpu(tmp_path: Path) -> None:
    config = tiny_config(text_folder(tmp_path / "text"))
    examiner = Examiner(LocalRunner(tmp_path / "jobs"), config, tmp_path / "jobs" / "data")

    async def measure() -> Any:
        try:
            await examiner.runner.run(prepare_job(config, examiner.data))
            source = baseline_program("deltanet").source
            return await examiner.measure("one", source, "explore", 0, lambda point: None)
        finally:
            await examiner.runner.close()

    measured = asyncio.run(measure())
    assert measured.device != "CPU"
    assert measured.audit is not None and not measured.audit.flaw


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("sharing", ["replicas", "shards"])
def test_two_gpus_train_what_one_does(tmp_path: Path, sharing: str) -> None:
    from tests.train.test_parallel import reported, train

    for processes in (1, 2):
        done = train(tmp_path, processes, f"run{processes}", "--sharing", sharing)
        assert done.returncode == 0, done.stderr
    assert reported(tmp_path / "run2") == pytest.approx(reported(tmp_path / "run1"), abs=CLOSE)
