"""CPU time of the chunked operators against fla's naive references, forward and backward.

    OMP_NUM_THREADS=1 python benchmarks/kernels.py

One thread, batch 2, length 256, 2 heads of 32 channels. The contestants take turns in one run,
and the medians are compared, so that a busy machine slows all of them alike. The references are
loaded from fla's files without importing fla; retention has only one, quadratic and not chunked,
which stands in the first column.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from asi_arch.train.kernels.ops.delta_rule import chunk_delta_rule
from asi_arch.train.kernels.ops.gated_delta_rule import chunk_gated_delta_rule
from asi_arch.train.kernels.ops.gla import chunk_gla
from asi_arch.train.kernels.ops.kda import chunk_kda
from asi_arch.train.kernels.ops.linear_attn import chunk_linear_attn
from asi_arch.train.kernels.ops.retention import chunk_retention
from asi_arch.train.kernels.ops.simple_gla import chunk_simple_gla

BATCH, LENGTH, HEADS, WIDTH = 2, 256, 2, 32
ROUNDS = 15
Function = Callable[..., Tensor]


def main() -> None:
    """Print one line for each operator."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{'operator':24}{'ours ms':>9}{'recurrence':>12}{'naive chunk':>13}   times slower")
    for name, (inputs, functions) in contestants().items():
        ours, *others = medians(functions, inputs)
        ratios = [f"{other / ours:.1f}" for other in others]
        cells = [f"{other:.1f}" for other in others] + ["-"] * (2 - len(others))
        print(f"{name:24}{ours:9.2f}{cells[0]:>12}{cells[1]:>13}   {', '.join(ratios)}")


def medians(functions: list[Function], inputs: list[Tensor]) -> list[float]:
    """Milliseconds of thread time of each function; they take turns."""
    leaves = [x.requires_grad_() for x in inputs]
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS + 1):
        for spent, function in zip(times, functions, strict=True):
            start = time.thread_time()
            out = function(*leaves)
            torch.autograd.grad(out, leaves, torch.ones_like(out))
            spent.append(1e3 * (time.thread_time() - start))
    return [statistics.median(spent[1:]) for spent in times]


def contestants() -> dict[str, tuple[list[Tensor], list[Function]]]:
    """Inputs; then ours, fla's recurrence and (where there is one) fla's naive chunk form."""
    shape = (BATCH, LENGTH, HEADS)
    q, v = torch.randn(*shape, WIDTH), torch.randn(*shape, WIDTH)
    k = F.normalize(torch.randn(*shape, WIDTH), dim=-1)
    beta, g, gk = torch.rand(shape), -torch.rand(shape), -torch.rand(*shape, WIDTH)
    delta, gated, kda = naive("delta_rule"), naive("gated_delta_rule"), naive("kda")
    simple, linear = naive("simple_gla"), naive("linear_attn")
    unnormalised = {"normalize": False}
    return {
        "chunk_delta_rule": (
            [q, k, v, beta],
            [
                first(chunk_delta_rule),
                heads_first(delta.delta_rule_recurrence),
                heads_first(delta.delta_rule_chunkwise),
            ],
        ),
        "chunk_gated_delta_rule": (
            [q, k, v, g, beta],
            [
                first(chunk_gated_delta_rule),
                lambda q, k, v, g, b: gated.naive_recurrent_gated_delta_rule(q, k, v, b, g)[0],
                first(gated.naive_chunk_gated_delta_rule),
            ],
        ),
        "chunk_kda": (
            [q, k, v, gk, beta],
            [first(chunk_kda), first(kda.naive_recurrent_kda), first(kda.naive_chunk_kda)],
        ),
        "chunk_gla": ([q, k, v, gk], [first(chunk_gla), first(naive("gla").naive_recurrent_gla)]),
        "chunk_simple_gla": (
            [q, k, v, g],
            [
                first(chunk_simple_gla),
                first(simple.naive_recurrent_simple_gla),
                first(simple.naive_chunk_simple_gla),
            ],
        ),
        "chunk_linear_attn": (
            [q, k, v],
            [
                first(chunk_linear_attn, **unnormalised),
                first(linear.naive_recurrent_linear_attn),
                linear.naive_chunk_linear_attn,
            ],
        ),
        "chunk_retention": (
            [q, k, v],
            [first(chunk_retention), heads_first(naive("retention").naive_retention)],
        ),
    }


def first(function: Callable[..., Any], **settings: Any) -> Function:
    """Keep the output of a function that also returns a state."""

    def output(*args: Tensor) -> Tensor:
        out: Tensor = function(*args, **settings)[0]
        return out

    return output


def heads_first(function: Callable[..., Any]) -> Function:
    """Call a reference that wants [batch, heads, length, ...]."""

    def output(*args: Tensor) -> Tensor:
        out = function(*(x.transpose(1, 2) for x in args))
        taken: Tensor = out[0] if isinstance(out, tuple) else out
        return taken.transpose(1, 2)

    return output


def naive(family: str) -> Any:
    """Load one of fla's naive references by its path."""
    package = importlib.util.find_spec("fla")
    folders = package.submodule_search_locations if package else None
    if not folders:
        raise SystemExit("flash-linear-attention is not installed.")
    files = (Path(folder, "ops", family, "naive.py") for folder in folders)
    spec = importlib.util.spec_from_file_location(family, next(f for f in files if f.is_file()))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
