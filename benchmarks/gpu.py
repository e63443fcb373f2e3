"""Speed of trainings on a GPU: tokens/s, share of the bf16 matrix peak, against fla's own model.

    python benchmarks/gpu.py                 # explore and confirm of the preset paper; needs a GPU
    python benchmarks/gpu.py --toy           # the same code at toy size, also on a CPU

Each contestant takes steps in turn in one process, and the medians are compared. Contestants: our
trainer with and without torch.compile; fla's DeltaNetForCausalLM of the same size in a plain loop
with the same optimiser, bfloat16 autocast and micro-batch; DeltaNet written as a loop over chunks
in plain PyTorch, with and without torch.compile. The peak is that of a large bf16 product, measured
in the same run. fla's model, and compilation, need a GPU. Writes benchmarks/results/gpu.json.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asi_arch.baselines import baseline_program
from asi_arch.config import Stage
from asi_arch.configure import load_config
from asi_arch.train.kernels import install
from asi_arch.train.loss import autocast
from asi_arch.train.model import build_model, device
from asi_arch.train.stepper import Stepper, adamw
from asi_arch.train.trainer import device_name

STEPS, WARMUP, SEQUENCES = 10, 3, 32
FLA = "deltanet of fla in a plain loop"
RESULTS = Path(__file__).parent / "results" / "gpu.json"
TOY = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "length": 128, "vocab_size": 256}

CHUNKED = '''
import torch
import torch.nn.functional as F
from torch import nn


class ChunkLoop(nn.Module):
    """Linear attention as a Python loop over chunks of 64 tokens."""

    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.heads = num_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, **kwargs):
        b, t, d = hidden_states.shape
        x = F.pad(hidden_states, (0, 0, 0, -t % 64))
        q, k, v = self.qkv(x).view(b, -1, 64, 3, self.heads, d // self.heads).unbind(3)
        q, k = q.softmax(-1), k.softmax(-1)
        mask = torch.ones(64, 64, dtype=torch.bool, device=x.device).tril()
        state, outputs = 0, []
        for i in range(q.shape[1]):
            scores = torch.einsum("bihd,bjhd->bhij", q[:, i], k[:, i]).masked_fill(~mask, 0)
            inside = torch.einsum("bhij,bjhe->bihe", scores, v[:, i])
            before = 0 if i == 0 else torch.einsum("bihd,bhde->bihe", q[:, i], state)
            outputs.append(inside + before)
            state = state + torch.einsum("bjhd,bjhe->bhde", k[:, i], v[:, i])
        y = torch.cat(outputs, 1)[:, :t].reshape(b, t, d)
        return self.out(y / t ** 0.5), None, kwargs.get("past_key_values")
'''


def main() -> None:
    """Print a line for each contestant of each stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toy", action="store_true", help="toy sizes, also on a CPU")
    toy = parser.parse_args().toy
    if not toy and not torch.cuda.is_available():
        parser.error("there is no GPU here; --toy runs the same code at toy size")
    torch.set_num_threads(1)
    install()
    top = peak(toy)
    print(f"{device_name()}, bf16 products at {top / 1e12:.3g} TFLOP/s")
    stages = {"explore": toy_stage()} if toy else paper_stages()
    measured = {name: measure(stage, top) for name, stage in stages.items()}
    found = {"device": device_name(), "torch": torch.__version__, "peak_flops": top}
    if not toy:
        RESULTS.write_text(json.dumps({**found, "stages": measured}, indent=1) + "\n")


def paper_stages() -> dict[str, Stage]:
    config = load_config("paper")
    return {"explore": config.explore, "confirm": config.confirm}


def toy_stage() -> Stage:
    return Stage(**TOY, batch_size=4, tokens=4 * 128 * 20, parameters=60_000)


def peak(toy: bool) -> float:
    """Return the floating-point operations a second of a large product in bfloat16."""
    side, rounds = (256, 2) if toy else (8192, 20)
    a, b = (torch.randn(side, side, device=device(), dtype=torch.bfloat16) for _ in range(2))
    seconds = timed(lambda: [a @ b for _ in range(rounds)])
    seconds = timed(lambda: [a @ b for _ in range(rounds)])
    return 2 * side**3 * rounds / seconds


def measure(stage: Stage, peak_flops: float) -> dict[str, Any]:
    """Return tokens/s and more of every contestant at a stage."""
    rows = min(SEQUENCES, stage.batch_size)
    stage = stage.model_copy(update={"batch_size": rows})
    contestants = {
        "deltanet": ours(baseline_program("deltanet").source, stage, compiled=False),
        "deltanet, compiled": ours(baseline_program("deltanet").source, stage, compiled=True),
        "chunk loop": ours(CHUNKED, stage, compiled=False),
        "chunk loop, compiled": ours(CHUNKED, stage, compiled=True),
    }
    if torch.cuda.is_available():
        contestants[FLA] = theirs(stage)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(WARMUP + STEPS):
        batch = torch.randint(stage.vocab_size or 256, (rows, stage.length + 1))
        for name, step in contestants.items():
            seconds[name].append(timed(partial(step, batch)))
    work = build_model(baseline_program("deltanet").source, stage, stage.vocab_size or 256)[1]
    return report(stage, seconds, work.flops_per_token, peak_flops)


def report(
    stage: Stage, seconds: dict[str, list[float]], flops: int, peak_flops: float
) -> dict[str, Any]:
    """Print and return the medians after the warm-up, the first step apart."""
    found = {}
    fla = statistics.median(seconds[FLA][WARMUP:]) if FLA in seconds else math.nan
    for name, times in seconds.items():
        median = statistics.median(times[WARMUP:])
        speed = stage.batch_size * stage.length / median
        share = speed * flops / peak_flops
        found[name] = {"tokens_per_second": speed, "first_step_seconds": times[0], "of_peak": share}
        print(
            f"{stage.num_layers} x {stage.hidden_size}  {name:32}{speed:14,.0f} tokens/s"
            f"{share:8.1%} of peak{fla / median:7.2f} x fla   first step {times[0]:.1f} s"
        )
    return found


def ours(program: str, stage: Stage, compiled: bool) -> Callable[[Tensor], Any]:
    """Return a step of our trainer."""
    torch.manual_seed(0)
    stage = stage.model_copy(update={"compile": compiled})
    model, _ = build_model(program, stage, stage.vocab_size or 256)
    stepper = Stepper(model, stage, "replicas")
    return lambda batch: stepper.step(batch, stage.learning_rate)


def theirs(stage: Stage) -> Callable[[Tensor], Any]:
    """Return a step of fla's own model, written as its users write it."""
    from fla.models import DeltaNetConfig, DeltaNetForCausalLM

    config = DeltaNetConfig(
        hidden_size=stage.hidden_size,
        num_hidden_layers=stage.num_layers,
        num_heads=stage.num_heads,
        vocab_size=stage.vocab_size or 256,
        tie_word_embeddings=stage.tied,
    )
    model: nn.Module = DeltaNetForCausalLM(config).to(device())
    optimizer = adamw(model, stage.learning_rate, stage.weight_decay)

    def step(batch: Tensor) -> float:
        tokens = batch.to(device())
        with autocast():
            loss = model(input_ids=tokens[:, :-1], labels=tokens[:, :-1]).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), stage.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss)

    return step


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that something takes, the GPU included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
