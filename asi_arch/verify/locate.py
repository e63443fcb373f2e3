"""Where a leak enters: how far ahead each position sees, in which pattern, at which line."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asi_arch.verify.replace import LARGE, replace_from
from asi_arch.verify.subject import Subject
from asi_arch.verify.trace import entry_line
from asi_arch.verify.trials import GRADIENT, Trial

LOCAL = 16
CHUNKS = (8, 16, 32, 64, 128)

HINTS = {
    "one position ahead": (
        "Every position sees the next one: a mask off by one (use j <= i, torch.tril with "
        "diagonal 0), a shift in the wrong direction, or a convolution padded on the right."
    ),
    "a few positions ahead": (
        "A window reaches to both sides: a convolution or pooling with symmetric padding. Pad "
        "kernel_size - 1 on the left only, or cut the last kernel_size - 1 outputs off."
    ),
    "across chunk borders": (
        "The last position of a chunk sees the first ones of the next: the state or the slice "
        "taken at a border is one chunk or one token too late."
    ),
    "inside a chunk": (
        "Positions see the later ones of their own chunk: the mask inside the chunk is missing, "
        "transposed or off, or the state of the chunk is added to its outputs before it is over."
    ),
    "wrapped around": (
        "The first positions see the last ones: torch.roll, circular padding or an FFT without "
        "zero padding. Shift with zeros, and pad an FFT to twice the length."
    ),
    "mirrored": (
        "Position i sees position length - 1 - i: a flip or reversed scan that is not undone, or "
        "a second direction. Remove the flip, or restore the order before it is used."
    ),
    "the whole sequence": (
        "Every position sees every later one: a statistic over the sequence. Look for mean, sum, "
        "max, softmax or a normalisation over the time dimension (dim=1), a missing causal mask "
        "or a mask applied after the softmax; use a cumulative form instead."
    ),
    "irregular": (
        "Some positions see later ones, in no simple pattern: look at indexing, sorting, top-k or "
        "gathers over the time dimension, and at branches that depend on values."
    ),
    "not reproduced by one changed token": (
        "No single changed token shows it, only many at once: look for a maximum, a threshold or "
        "a branch that depends on the values of the whole sequence."
    ),
}


@dataclass(frozen=True)
class Place:
    """Offsets in tokens (0 where no single token leaks), the pattern, the line it enters at."""

    nearest: int
    farthest: int
    pattern: str
    line: str

    @property
    def hint(self) -> str:
        """What is likely wrong, and how to mend it."""
        return HINTS[self.pattern]


def locate(subject: Subject, trial: Trial) -> Place:
    """Change single tokens and see which earlier outputs move, in the setting that leaked."""
    subject = subject.under(trial.state)
    sources = _sources(trial.length, trial.start)
    seen = _influence(subject, trial, sources)
    pairs = [(sources[row], target) for row, target in torch.nonzero(seen).tolist()]
    line = _entry(subject, trial)
    offsets = [source - target for source, target in pairs]
    if not offsets:
        return Place(0, 0, "not reproduced by one changed token", line)
    pattern = _pattern(pairs, trial.length, len(sources))
    return Place(min(offsets), max(offsets), pattern, line)


def _entry(subject: Subject, trial: Trial) -> str:
    """Repeat the trial on at most two samples, and compare line by line."""
    rows = min(trial.batch, 2)
    inputs = subject.inputs(rows, trial.length, seed=trial.length)
    noise = subject.inputs(rows, trial.length, seed=1)
    way = "random values" if trial.way == GRADIENT else trial.way
    replaced = torch.stack(
        [replace_from(way, inputs[row], trial.start, noise[row]) for row in range(rows)]
    )
    return entry_line(subject, subject.build(trial.state), inputs, replaced, trial.start)


def _sources(length: int, start: int) -> list[int]:
    """Positions to change: all when few, else `start`, some at both ends and a spread between."""
    if length <= 65:
        return list(range(1, length))
    ends = (1, 2, 3, length // 2, length - 3, length - 2, length - 1)
    spread = range(13, length, max(1, length // 20))
    return sorted({start, *ends, *spread, *range(64, length, 64)})


def _influence(subject: Subject, trial: Trial, sources: list[int]) -> Tensor:
    """Mask [sources, length]: which outputs before a source move when it changes."""
    rows = len(sources) if trial.batch > 1 else 1
    module = subject.build(trial.state)
    inputs = subject.inputs(len(sources), trial.length)
    changed = inputs.clone()
    index = torch.arange(len(sources))
    changed[index, sources] = LARGE * subject.inputs(len(sources), 1, seed=1)[:, 0]
    before = torch.cat([subject.run(module, part) for part in torch.split(inputs, rows)])
    after = torch.cat([subject.run(module, part) for part in torch.split(changed, rows)])
    scale = before.nan_to_num().square().mean().sqrt().clamp_min(1e-12)
    change = (after - before).abs().nan_to_num(nan=float("inf")).amax(-1) / (LARGE * scale)
    return (change > trial.state.tolerance) & (
        torch.arange(trial.length) < torch.tensor(sources)[:, None]
    )


def _pattern(pairs: list[tuple[int, int]], length: int, tried: int) -> str:
    """Name the pattern of (changed source, moved earlier target) pairs, of so many sources."""
    offsets = [source - target for source, target in pairs]
    first_moved = dict(sorted(pairs, reverse=True))
    if min(offsets) > length // 2 and 0 in first_moved.values():
        return "wrapped around"
    if max(offsets) <= LOCAL < length:
        return _local_pattern(pairs, max(offsets), tried)
    if all(target == length - 1 - source for source, target in first_moved.items()):
        return "mirrored"
    if any(all(s // size == t // size for s, t in pairs) for size in CHUNKS if size < length):
        return "inside a chunk"
    if sum(target == 0 for target in first_moved.values()) > 0.8 * len(first_moved):
        return "the whole sequence"
    return "irregular"


def _local_pattern(pairs: list[tuple[int, int]], farthest: int, tried: int) -> str:
    """Tell borders of chunks, where few sources leak or all near multiples, from everywhere."""
    sources = {source for source, _ in pairs}
    near = any(all(source % size < farthest for source in sources) for size in CHUNKS[1:])
    if near or 4 * len(sources) < tried:
        return "across chunk borders"
    return "one position ahead" if farthest == 1 else "a few positions ahead"
