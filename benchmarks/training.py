"""CPU time of training steps at equal parameters and length 256, by token mixer.

    OMP_NUM_THREADS=1 python benchmarks/training.py

Two processes of one thread at once, as two cores are used. In each the models take turns, one
step at a time, through the trainer's own functions (loader, forward, loss, backward, AdamW), and
medians of process time are compared: a busy machine slows all of them alike. `recurrent` is
DeltaNet as a Python loop over tokens. Writes benchmarks/results/training.json.
"""

import json
import multiprocessing
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asi_arch.baselines import baseline_program
from asi_arch.config import Stage
from asi_arch.configure import load_config
from asi_arch.data import Tokens, batches
from asi_arch.train.kernels import install
from asi_arch.train.model import build_model
from asi_arch.train.stepper import Stepper

NAMES = ("transformer", "deltanet", "gated_deltanet", "gla", "mamba2")
RESULTS = Path(__file__).parent / "results" / "training.json"
ROUNDS = 20
SIZES: dict[str, dict[str, Any]] = {
    "0.1M": {},
    "1M": {"parameters": 1_000_000, "hidden_size": 128, "num_heads": 4, "num_layers": 4},
}
IMPORT = "from fla.ops.delta_rule import chunk_delta_rule"
LOOP = '''import torch
import torch.nn.functional as F


def chunk_delta_rule(q, k, v, beta, initial_state=None, **how):
    """Walk over the tokens one by one."""
    q, k = F.normalize(q, dim=-1) * q.shape[-1] ** -0.5, F.normalize(k, dim=-1)
    state, out = q.new_zeros(*q.shape[:1], *q.shape[2:], v.shape[-1]), []
    for t in range(q.shape[1]):
        key = k[:, t].unsqueeze(-1)
        new = (v[:, t] - (key * state).sum(-2)) * beta[:, t].unsqueeze(-1)
        state = state + key * new.unsqueeze(-2)
        out.append((q[:, t].unsqueeze(-1) * state).sum(-2))
    return torch.stack(out, 1), state
'''


def main() -> None:
    """Measure in two processes, print the table of each size and write the results."""
    results = {}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for size in SIZES:
            first, second = pool.map(measure, [size, size], chunksize=1)
            results[size] = {name: _merged(first[name], second[name]) for name in first}
            _print(size, results[size])
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def measure(size: str) -> dict[str, dict[str, Any]]:
    """Return the median CPU and wall milliseconds of a step of each model, and its shares."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    install()
    stage = load_config().explore.model_copy(update={"length": 256, **SIZES[size]})
    runs = {name: _run(source, stage) for name, source in _sources().items()}
    for number in range(ROUNDS + 1):
        for name, run in runs.items():
            if name != "recurrent" or number <= 3:
                run.take_step()
    return {name: run.summary() for name, run in runs.items()}


class _Run:
    """One model in training, and what its steps took."""

    def __init__(self, stepper: Stepper, data: Any, rate: float) -> None:
        self.stepper, self.rate = stepper, rate
        self.data = stepper.timed(data, 0)
        self.times: list[tuple[float, float]] = []

    def take_step(self) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        self.stepper.step(torch.from_numpy(next(self.data)), self.rate)
        self.times.append((time.process_time() - cpu, time.perf_counter() - wall))

    def summary(self) -> dict[str, Any]:
        cpu, wall = zip(*self.times[1:], strict=True)
        return {
            "cpu_ms": 1e3 * statistics.median(cpu),
            "wall_ms": 1e3 * statistics.median(wall),
            "shares": self.stepper.clock.shares(),
        }


def _run(source: str, stage: Stage) -> _Run:
    model, _ = build_model(source, stage, 256)
    stepper = Stepper(model, stage, "replicas")
    ids = np.random.default_rng(0).integers(0, 256, 200_000).astype(np.uint8)
    data = batches(Tokens([ids], 256), ROUNDS + 1, stage.batch_size, stage.length, 0)
    return _Run(stepper, data, stage.learning_rate)


def _sources() -> dict[str, str]:
    sources = {name: baseline_program(name).source for name in NAMES}
    assert IMPORT in sources["deltanet"]
    return sources | {"recurrent": sources["deltanet"].replace(IMPORT, LOOP)}


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    both = {key: (first[key] + second[key]) / 2 for key in ("cpu_ms", "wall_ms")}
    return both | {"shares": first["shares"]}


def _print(size: str, rows: dict[str, dict[str, Any]]) -> None:
    softmax, recurrent = rows["transformer"]["cpu_ms"], rows["recurrent"]["cpu_ms"]
    print(f"{size:16}{'CPU ms':>8}{'wall ms':>9}{'/ softmax':>11}{'recurrent /':>13}  shares")
    for name, row in rows.items():
        cpu, shares = row["cpu_ms"], row["shares"]
        parts = ", ".join(f"{part} {share:.0%}" for part, share in shares.items())
        ratios = f"{cpu / softmax:>11.2f}{recurrent / cpu:>13.2f}"
        print(f"{name:16}{cpu:8.0f}{row['wall_ms']:9.0f}{ratios}  {parts}")


if __name__ == "__main__":
    main()
