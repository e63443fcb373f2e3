"""Does a sample keep its output when the others, their order or their number change?"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from asi_arch.records import Finding
from asi_arch.verify.chance import drawn
from asi_arch.verify.compare import TOLERANCE, relative_change, rounded
from asi_arch.verify.subject import State, Subject

EVAL, TRAIN = State(perturbed=True), State(perturbed=True, train=True)
SAMPLES = 12
KEPT = 2
FEWER = (1, 3)
SHORT = 128


@dataclass(frozen=True)
class Swap:
    """A change of the company a sample keeps, and how far its output moved."""

    what: str
    state: State
    length: int
    change: float


HINTS = {
    "the others replaced": (
        "Samples see each other: batch norm, a statistic or a normalisation over dim 0, a view or "
        "reshape that merges batch and another dimension, or a sum over the batch in an einsum."
    ),
    "the order changed": (
        "The output depends on the place in the batch: an index or parameter along dim 0, a sort "
        "or roll over the batch, or a reshape that interleaves the samples."
    ),
    "the number changed": (
        "The output depends on how many samples there are: a division by the batch size, or a "
        "branch that asks for it."
    ),
}


def check(subject: Subject) -> Finding:
    """Replace the other samples, permute them, and leave some out; shorter in train mode."""
    longest = max(subject.settings.lengths)
    short = max((n for n in subject.settings.lengths if n <= SHORT), default=longest)
    swaps = [
        swap
        for state, length in ((EVAL, longest), (TRAIN, short))
        for swap in _swaps(subject, state, length)
    ]
    moved = [swap for swap in swaps if swap.change > TOLERANCE]
    measured: dict[str, float | int | str] = {
        "largest_change": rounded(max(swap.change for swap in swaps)),
        "tolerance": TOLERANCE,
        "swaps": len(swaps),
    }
    if not moved:
        return Finding(check="batch", passed=True, measured=measured)
    first = moved[0]
    return Finding(
        check="batch",
        passed=False,
        measured=measured | {"moved": len(moved)},
        evidence=f"{first.what}: a sample of length {first.length} moved by {first.change:.2g} of "
        f"the output's scale ({first.state})",
        hint=HINTS[first.what],
    )


def _swaps(subject: Subject, state: State, length: int) -> Iterator[Swap]:
    """Yield the swaps; only the one that keeps random masks in their place where there are any."""
    module = subject.build(state)
    inputs = subject.inputs(SAMPLES, length)
    output = subject.run(module, inputs)
    chance = bool(drawn(subject.settings.seed))

    def swap(what: str, changed: Tensor, rows: int | slice, expected: Tensor) -> Swap:
        change = relative_change(expected, subject.run(module, changed)[rows])
        return Swap(what, state, length, change)

    others = subject.inputs(SAMPLES, length, seed=1)
    others[KEPT] = inputs[KEPT]
    yield swap("the others replaced", others, KEPT, output[KEPT])
    if chance and state.train:
        return
    yield swap("the order changed", inputs.roll(1, 0), slice(None), output.roll(1, 0))
    for number in FEWER:
        few = inputs[:number].clone()
        yield swap("the number changed", few, slice(None), output[:number])
