"""Does a sample keep its output when the others, their order or their number change?"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from asi_arch.records import Finding
from asi_arch.verify.compare import TOLERANCE, relative_change, rounded
from asi_arch.verify.subject import STATES, State, Subject

SAMPLES = 5
ORDER = (3, 0, 4, 1, 2)
KEPT = 2


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
    """Replace the other samples, permute them, and leave some out."""
    lengths = [length for length in subject.settings.lengths if length <= 128][-1:]
    swaps = [
        swap
        for state in STATES
        for length in sorted({*lengths, max(subject.settings.lengths)})
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
    """Yield the swaps; in train mode only the one that keeps every random mask in its place."""
    module = subject.build(state)
    inputs = subject.inputs(SAMPLES, length)
    output = subject.run(module, inputs)

    def swap(what: str, changed: Tensor, rows: int | slice, expected: Tensor) -> Swap:
        change = relative_change(expected, subject.run(module, changed)[rows])
        return Swap(what, state, length, change)

    others = subject.inputs(SAMPLES, length, seed=1)
    others[KEPT] = inputs[KEPT]
    yield swap("the others replaced", others, KEPT, output[KEPT])
    if state.train:
        return
    order = list(ORDER)
    yield swap("the order changed", inputs[order], slice(None), output[order])
    yield swap("the number changed", inputs[:1].clone(), slice(None), output[:1])
    yield swap("the number changed", inputs[:3].clone(), slice(None), output[:3])
