"""How do work and memory grow with the length, and how do they compare with a baseline?"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from torch import Tensor, nn

from asi_arch.baselines import baseline_program
from asi_arch.records import Finding
from asi_arch.train.layer import load_layer
from asi_arch.verify.cache import state_bytes
from asi_arch.verify.compare import Problem, rounded, told
from asi_arch.verify.meter import Calls, Meter
from asi_arch.verify.subject import State, Subject

LENGTHS = (128, 256, 512, 1024, 2048)
AHEAD = 16_384
"""The growth over the last doublings is carried on to this length."""

SLACK = 0.25
"""So far above the limit may the growth lie there: n log n looks steeper carried on."""

LOOP_LENGTHS = (512, 1024)
TOKENS_A_TURN = 8
"""A place that is passed once for so few tokens, or fewer, loops over tokens and not chunks."""

STATE_LENGTHS = (64, 128)

REFERENCE = "gated_deltanet"
TRAINING_LENGTH = 256
REPEATS = 3
ROUNDS = 5
CLEARLY = 1.15
"""A clock errs: a time counts as too long when it stays this much beyond its limit."""


def check(subject: Subject) -> Finding:
    """Count at doubled lengths, look for loops over tokens, and compare with a baseline."""
    limit = subject.settings
    runs = _runs(subject)
    work, memory = fit([run.work for run in runs]), fit([run.peak_bytes for run in runs])
    pair = _Pair(subject)
    memory_ratio, slowdown = pair.memory_ratio(), pair.slowdown(limit.max_slowdown)
    problems = [
        *_too_steep("work", work, limit.max_exponent),
        *_too_steep("memory", memory, limit.max_exponent),
        *_token_loop(runs),
        *_work_elsewhere(runs),
        *_too_much("memory", memory_ratio, limit.max_memory_ratio),
        *_too_much("time", slowdown, limit.max_slowdown * CLEARLY),
    ]
    measured: dict[str, float | int | str] = {
        "work_exponent": rounded(work.exponent),
        "work_exponent_error": rounded(work.error),
        "memory_exponent": rounded(memory.exponent),
        "memory_exponent_error": rounded(memory.error),
        "work_per_token": round(work.values[-1] / LENGTHS[-1]),
        "memory_ratio": rounded(memory_ratio),
        **_state(subject),
    }
    return Finding(
        check="cost",
        passed=not problems,
        measured=measured,
        timings={"slowdown": round(slowdown, 3)},
        **told(problems),
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

    @property
    def ahead(self) -> float:
        """The exponent of the doubling that ends at AHEAD, by the parabola of the last three."""
        a, b, c = LENGTHS[-3:]
        first, second, third = self.values[-3:]
        slope = (third - second) / (c - b)
        bend = max(0.0, (slope - (second - first) / (b - a)) / (c - a))

        def value(x: int) -> float:
            return max(1.0, third + slope * (x - c) + bend * (x - b) * (x - c))

        return math.log2(value(AHEAD) / value(AHEAD // 2))


def fit(values: Sequence[float]) -> Growth:
    """Return the least-squares slope of log value over log length, and its standard error."""
    x = [math.log2(length) for length in LENGTHS]
    y = [math.log2(max(value, 1)) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    rest = sum((b - mean_y - slope * (a - mean_x)) ** 2 for a, b in zip(x, y, strict=True))
    return Growth(tuple(values), slope, math.sqrt(rest / (len(x) - 2) / spread))


@dataclass(frozen=True)
class _Run:
    """What one forward at one length did."""

    length: int
    work: int
    peak_bytes: int
    calls: Calls


def _runs(subject: Subject) -> list[_Run]:
    module = subject.build(State(perturbed=True))
    return [_run(subject, module, length) for length in LENGTHS]


def _run(subject: Subject, module: nn.Module, length: int) -> _Run:
    meter, calls = Meter(), Calls(subject.layer.__module__, length)
    inputs = subject.inputs(1, length)
    with meter, calls:
        subject.run(module, inputs)
    return _Run(length, meter.work, meter.peak_bytes, calls)


def _too_steep(what: str, growth: Growth, limit: float) -> Iterator[Problem]:
    if max(growth.exponent, growth.ahead - SLACK) > limit:
        yield (
            f"{what} grows like the length to the power of {growth.exponent:.2f} ± "
            f"{growth.error:.2f}, over the last doubling {growth.last:.2f}, carried on to "
            f"{AHEAD:,} tokens {growth.ahead:.2f}; the limit is {limit:g}",
            "Let no tensor have two dimensions of the sequence's length: keep a state of fixed "
            "size, work in chunks of fixed size, and do not let chunks grow with the length.",
        )


def _token_loop(runs: Sequence[_Run]) -> Iterator[Problem]:
    """Yield the place that is passed most often, where that is once for every few tokens."""
    short, long = (run.calls for run in runs if run.length in LOOP_LENGTHS)
    extra = long.turns - short.turns
    place, turns = max(extra.items(), key=lambda item: item[1], default=(None, 0))
    if place is not None and turns * TOKENS_A_TURN >= LOOP_LENGTHS[1] - LOOP_LENGTHS[0]:
        yield (
            f"a loop over tokens: {long.lines[place]} asks torch {long.turns[place]} times for "
            f"{long.length} tokens",
            "Write the recurrence in chunks: matrix products inside a chunk, one step of the state "
            "for each chunk, as fla's chunk operators do.",
        )


def _work_elsewhere(runs: Sequence[_Run]) -> Iterator[Problem]:
    exits = runs[-1].calls.exits
    if exits:
        yield (
            f"the sequence leaves torch: {exits[0]}",
            "Keep the values of the tokens in tensors: what NumPy or Python computes with them "
            "cannot be counted, runs on no GPU and has no gradient.",
        )


def _too_much(what: str, ratio: float, limit: float) -> Iterator[Problem]:
    if ratio > limit:
        yield (
            f"{what} at length {TRAINING_LENGTH} is {ratio:.1f} times that of {REFERENCE}, forward "
            f"and backward; the limit is {limit:.3g}",
            "Use fewer or smaller projections, fewer passes over the sequence, and fla's operators "
            "in place of loops in Python.",
        )


def _state(subject: Subject) -> dict[str, float | int | str]:
    """Return what decoding keeps, in bytes a sequence, and how it grows with each token."""
    held = [state_bytes(subject, length) for length in STATE_LENGTHS]
    if None in held:
        return {"state_bytes": "not measured"}
    short, long = (int(size or 0) for size in held)
    a_token = (long - short) / (STATE_LENGTHS[1] - STATE_LENGTHS[0])
    return {"state_bytes": long, "state_bytes_a_token": round(a_token, 2)}


class _Pair:
    """The candidate beside the baseline, both in train mode on the same inputs.

    The baseline is gated DeltaNet: linear, known to train well, and computed by the same kernels as
    the candidates. Softmax attention would do for short sequences only.
    """

    def __init__(self, subject: Subject) -> None:
        other = Subject(_reference(), subject.settings)
        self.sides = [(side, side.build(State(train=True))) for side in (subject, other)]
        self.inputs = subject.inputs(2, TRAINING_LENGTH)

    def memory_ratio(self) -> float:
        """Return the candidate's peak memory over the baseline's."""
        ours, theirs = (self._peak(*side) for side in self.sides)
        return ours / theirs

    def slowdown(self, limit: float) -> float:
        """Return the candidate's least CPU time over the baseline's, taken in turn.

        While it is beyond the limit it is measured again, so that a busy machine rejects nothing.
        """
        ratio, ours, theirs = math.inf, math.inf, math.inf
        for _ in range(ROUNDS):
            for _ in range(REPEATS):
                own, other = (self._seconds(*side) for side in self.sides)
                ours, theirs = min(ours, own), min(theirs, other)
            ratio = ours / theirs
            if ratio <= limit or ratio > 3 * limit:
                break
        return ratio

    def _peak(self, subject: Subject, module: nn.Module) -> int:
        meter = Meter()
        with meter:
            _step(subject, module, self.inputs)
        return meter.peak_bytes

    def _seconds(self, subject: Subject, module: nn.Module) -> float:
        started = time.process_time()
        _step(subject, module, self.inputs)
        return time.process_time() - started


def _step(subject: Subject, module: nn.Module, inputs: Tensor) -> None:
    subject.backward(subject.forward(module, inputs).sum())
    module.zero_grad()


@cache
def _reference() -> type[nn.Module]:
    return load_layer(baseline_program(REFERENCE).source, "reference")
