"""The experiments of the causality check: replace the future, or ask the gradients."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from asi_arch.verify.compare import TOLERANCE, relative_change
from asi_arch.verify.replace import SIZES, WAYS, cuts, replace_from
from asi_arch.verify.subject import STATES, State, Subject

GRADIENT = "nothing (gradient)"
EVERY_POSITION_LENGTH = 100
GRADIENT_LENGTH = 257

CALLED = (State(perturbed=True, called=24), State(perturbed=True, train=True, called=24))
"""States that show a leak that waits for some calls to pass."""


@dataclass(frozen=True)
class Trial:
    """One cut tried one way, and how far the output before it moved.

    `change` is relative to the scale of the output, and of the replacement where that is large:
    huge values behind the cut make honest sums round worse before it.
    """

    state: State
    batch: int
    length: int
    start: int
    way: str
    change: float

    @property
    def leaks(self) -> bool:
        """Whether the output before `start` moved more than rounding can explain."""
        return self.change > TOLERANCE

    def __str__(self) -> str:
        return (
            f"inputs from {self.start} on replaced by {self.way}, length {self.length}, batch "
            f"{self.batch}, {self.state}"
        )


def replacements(subject: Subject) -> Iterator[Trial]:
    """Replace the future in every state, at every length, at every cut; some also alone."""
    others = [way for way in WAYS if way != "random values"]
    lengths = [length for length in subject.settings.lengths if length > 1]
    for turn, state in enumerate(STATES):
        for length in lengths:
            cases = [
                (start, way)
                for index, start in enumerate(cuts(length))
                for way in ("random values", others[(index + turn) % len(others)])
            ]
            yield from _try(subject, state, length, cases)
        longest = max(lengths, default=1)
        for start in cuts(longest)[-2:]:
            yield from _try(subject, state, longest, [(start, "random values")])
    for state in CALLED:
        for length in lengths[-2:]:
            cases = [(start, "random values") for start in cuts(length)[::3]]
            yield from _try(subject, state, length, cases)
    everywhere = [(start, "random values") for start in range(1, EVERY_POSITION_LENGTH)]
    yield from _try(subject, State(perturbed=True), EVERY_POSITION_LENGTH, everywhere)


def _try(
    subject: Subject, state: State, length: int, cases: list[tuple[int, str]]
) -> Iterator[Trial]:
    """Run all cases as one batch, without and with the replacement."""
    inputs = subject.inputs(len(cases), length)
    noise = subject.inputs(len(cases), length, seed=1)
    replaced = torch.stack(
        [
            replace_from(way, inputs[row], start, noise[row])
            for row, (start, way) in enumerate(cases)
        ]
    )
    module = subject.build(state)
    before, after = subject.run(module, inputs), subject.run(module, replaced)
    for row, (start, way) in enumerate(cases):
        change = relative_change(before[row, :start], after[row, :start], before[row])
        yield Trial(state, len(cases), length, start, way, change / SIZES.get(way, 1.0))


def gradients(subject: Subject) -> Iterator[Trial]:
    """Measure d out[<t] / d in[>=t] against d out[<t] / d in[<t]."""
    for state in (State(perturbed=True), State(train=True)):
        for length in (7, GRADIENT_LENGTH):
            starts = cuts(length)
            inputs = subject.inputs(len(starts), length).requires_grad_()
            output = subject.forward(subject.build(state), inputs)
            weights = subject.inputs(len(starts), length, seed=1)
            subject.backward((output * _before(starts, length) * weights).sum())
            gradient = inputs.grad if inputs.grad is not None else torch.zeros_like(inputs)
            for row, start in enumerate(starts):
                change = _future_share(gradient[row], start)
                yield Trial(state, len(starts), length, start, GRADIENT, change)


def _before(starts: list[int], length: int) -> Tensor:
    """Mask [rows, length, 1] of the positions before each row's start."""
    return (torch.arange(length) < torch.tensor(starts)[:, None]).float().unsqueeze(-1)


def _future_share(gradient: Tensor, start: int) -> float:
    finite = gradient.nan_to_num(posinf=0.0, neginf=0.0).abs()
    past = float(finite[:start].max())
    return float(finite[start:].max()) / past if past else float(finite[start:].max() > 0)
