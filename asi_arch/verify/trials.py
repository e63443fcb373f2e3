"""The experiments of the causality check: replace the future, or ask the gradients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asi_arch.verify.compare import relative_change
from asi_arch.verify.replace import SIZES, cuts, replace_from
from asi_arch.verify.subject import State, Subject

GRADIENT = "nothing (gradient)"
GRADIENT_LENGTHS = (7, 257)

Case = tuple[int, str]
"""The first replaced position, and the way it is replaced."""


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
        return self.change > self.state.tolerance

    def __str__(self) -> str:
        return (
            f"inputs from {self.start} on replaced by {self.way}, length {self.length}, batch "
            f"{self.batch}, {self.state}"
        )


def attempt(
    subject: Subject,
    state: State,
    length: int,
    cases: Sequence[Case],
    module: nn.Module | None = None,
) -> Iterator[Trial]:
    """Run all cases in one batch, beside the sequence they are made from.

    What differs from that one is compared with a batch in which nothing is replaced: rows may
    round otherwise, see each other or have random masks of their own, which is no leak.
    """
    subject = subject.under(state)
    module = subject.build(state) if module is None else module
    inputs, replaced = _with_replaced(subject, length, cases)
    after = subject.run(module, replaced)
    trials = _compare(state, cases, after[:1].expand_as(after), after)
    if state.precision or any(trial.leaks for trial in trials):
        trials = _compare(state, cases, subject.run(module, inputs), after)
    yield from trials


def alone(
    subject: Subject, state: State, length: int, case: Case, module: nn.Module
) -> Iterator[Trial]:
    """Run a case as the only sample."""
    inputs, replaced = _with_replaced(subject, length, [case])
    before, after = (subject.run(module, rows[1:]) for rows in (inputs, replaced))
    yield _trial(state, 1, case, before[0], after[0])


def _with_replaced(subject: Subject, length: int, cases: Sequence[Case]) -> tuple[Tensor, Tensor]:
    """Return a sequence once and again for each case, as it is and with the cases' replacements."""
    base = subject.inputs(1, length, seed=length)
    noise = subject.inputs(len(cases), length, seed=1)
    rows = [replace_from(way, base[0], start, noise[row]) for row, (start, way) in enumerate(cases)]
    return base.repeat(len(cases) + 1, 1, 1), torch.stack([base[0], *rows])


def _compare(state: State, cases: Sequence[Case], before: Tensor, after: Tensor) -> list[Trial]:
    return [
        _trial(state, len(after), case, before[row], after[row])
        for row, case in enumerate(cases, start=1)
    ]


def _trial(state: State, batch: int, case: Case, before: Tensor, after: Tensor) -> Trial:
    start, way = case
    change = relative_change(before[:start], after[:start], before) / SIZES.get(way, 1.0)
    return Trial(state, batch, len(before), start, way, change)


def gradients(subject: Subject) -> Iterator[Trial]:
    """Measure d out[<t] / d in[>=t] against d out[<t] / d in[<t]."""
    for state in (State(perturbed=True), State(train=True)):
        for length in GRADIENT_LENGTHS:
            starts = cuts(length)[::3]
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
