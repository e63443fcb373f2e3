"""How do work and memory grow with the length, and how do they compare with a baseline?"""

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from torch import Tensor, nn

from asi_arch.baselines import baseline_program
from asi_arch.records import Finding
from asi_arch.train.layer import load_layer
from asi_arch.verify.compare import rounded
from asi_arch.verify.meter import LineCounter, Meter
from asi_arch.verify.subject import State, Subject

LENGTHS = (128, 256, 512, 1024, 2048)
LAST_DOUBLING = 0.25
"""So far above the limit may the growth of the last doubling lie: chunks make it uneven."""

REFERENCE = "gated_deltanet"
TRAINING_LENGTH = 256
REPEATS = 3
CLEARLY = 1.5
"""A ratio of times counts as too large only when it is so much beyond its limit."""

LOOP_LENGTHS = (64, 192)
TOKENS_A_TURN = 4
"""A line that runs once for so few tokens, or fewer, loops over tokens and not over chunks."""


def check(subject: Subject) -> Finding:
    """Count at doubled lengths, look for loops over tokens, and compare with a baseline."""
    work, memory = _growth(subject)
    loop = _token_loop(subject)
    memory_ratio, slowdown = _against_reference(subject)
    limit = subject.settings
    problems = [
        *_too_steep("work", work, limit.max_exponent),
        *_too_steep("memory", memory, limit.max_exponent),
        *([] if loop is None else [_loop_problem(*loop)]),
        *_too_much("memory", memory_ratio, limit.max_memory_ratio),
        *_too_much("time", slowdown / CLEARLY, limit.max_slowdown, shown=slowdown),
    ]
    measured: dict[str, float | int | str] = {
        "work_exponent": rounded(work.exponent),
        "work_exponent_error": rounded(work.error),
        "memory_exponent": rounded(memory.exponent),
        "work_per_token": round(work.values[-1] / LENGTHS[-1]),
        "memory_ratio": rounded(memory_ratio),
    }
    evidence, hint = problems[0] if problems else ("", "")
    return Finding(
        check="cost",
        passed=not problems,
        measured=measured,
        timings={"slowdown": slowdown},
        evidence=evidence,
        hint=hint,
    )


@dataclass(frozen=True)
class Growth:
    """A quantity at each of LENGTHS, fitted by length to the power of `exponent`."""

    values: tuple[float, ...]
    exponent: float
    error: float

    @property
    def last(self) -> float:
        """The exponent between the last two lengths."""
        return math.log2(self.values[-1] / max(self.values[-2], 1))


def fit(values: Sequence[float]) -> Growth:
    """Return the least-squares slope of log value over log length, and its standard error."""
    x = [math.log2(length) for length in LENGTHS]
    y = [math.log2(max(value, 1)) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    rest = sum((b - mean_y - slope * (a - mean_x)) ** 2 for a, b in zip(x, y, strict=True))
    return Growth(tuple(values), slope, math.sqrt(rest / (len(x) - 2) / spread))


def _growth(subject: Subject) -> tuple[Growth, Growth]:
    module = subject.build(State(perturbed=True))
    meters = [_metered(subject, module, length) for length in LENGTHS]
    return fit([m.work for m in meters]), fit([m.peak_bytes for m in meters])


def _metered(subject: Subject, module: nn.Module, length: int) -> Meter:
    meter, inputs = Meter(), subject.inputs(1, length)
    with meter:
        subject.run(module, inputs)
    return meter


def _too_steep(what: str, growth: Growth, limit: float) -> list[tuple[str, str]]:
    steepest = max(growth.exponent, growth.last - LAST_DOUBLING)
    if steepest <= limit:
        return []
    evidence = (
        f"{what} grows like the length to the power of {growth.exponent:.2f} ± {growth.error:.2f}, "
        f"over the last doubling {growth.last:.2f}; the limit is {limit:g}"
    )
    hint = (
        "Let no tensor have two dimensions of the sequence's length: keep a state of fixed size, "
        "work in chunks of fixed size, and do not let chunks grow with the length."
    )
    return [(evidence, hint)]


def _token_loop(subject: Subject) -> tuple[str, int] | None:
    """Return a line that runs once for every few tokens, and how often in the longer run."""
    module = subject.build()
    short, long = (_lines(subject, module, length) for length in LOOP_LENGTHS)
    for place, turns in long.items():
        extra = (turns - short[place]) * TOKENS_A_TURN
        if extra >= LOOP_LENGTHS[1] - LOOP_LENGTHS[0]:
            return place[0], turns
    return None


def _lines(subject: Subject, module: nn.Module, length: int) -> Counter[tuple[str, int]]:
    counter = LineCounter(subject.layer.__module__)
    with counter:
        subject.run(module, subject.inputs(1, length))
    return counter.calls


def _loop_problem(line: str, turns: int) -> tuple[str, str]:
    return (
        f"a loop over tokens: {line} runs {turns} times for {LOOP_LENGTHS[1]} tokens",
        "Write the recurrence in chunks: matrix products inside a chunk, one step of the state for "
        "each chunk, as fla's chunk operators do.",
    )


def _too_much(
    what: str, ratio: float, limit: float, shown: float | None = None
) -> list[tuple[str, str]]:
    if ratio <= limit:
        return []
    return [
        (
            f"{what} at length {TRAINING_LENGTH} is {shown or ratio:.1f} times that of "
            f"{REFERENCE}, forward and backward; the limit is {limit:g}",
            "Use fewer or smaller projections, fewer passes over the sequence, and fla's operators "
            "in place of loops in Python.",
        )
    ]


def _against_reference(subject: Subject) -> tuple[float, float]:
    """Return memory and CPU time of a training step, as multiples of the baseline's."""
    ours = subject.build(State(train=True))
    other = Subject(_reference(), subject.settings)
    theirs = other.build(State(train=True))
    inputs = subject.inputs(2, TRAINING_LENGTH)
    peaks = [_step_memory(s, m, inputs) for s, m in ((subject, ours), (other, theirs))]
    times = [
        (_step_seconds(subject, ours, inputs), _step_seconds(other, theirs, inputs))
        for _ in range(REPEATS)
    ]
    fastest, reference = (min(column) for column in zip(*times, strict=True))
    return peaks[0] / peaks[1], fastest / reference


@cache
def _reference() -> type[nn.Module]:
    return load_layer(baseline_program(REFERENCE).source, "reference")


def _step_memory(subject: Subject, module: nn.Module, inputs: Tensor) -> int:
    meter = Meter()
    with meter:
        subject.backward(subject.forward(module, inputs).sum())
    module.zero_grad()
    return meter.peak_bytes


def _step_seconds(subject: Subject, module: nn.Module, inputs: Tensor) -> float:
    started = time.process_time()
    subject.backward(subject.forward(module, inputs).sum())
    module.zero_grad()
    return time.process_time() - started
