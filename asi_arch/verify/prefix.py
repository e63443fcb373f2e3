"""Do the first t tokens alone give what they give inside a longer run?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asi_arch.records import Finding
from asi_arch.verify.chance import drawn
from asi_arch.verify.compare import TOLERANCE, relative_change, rounded
from asi_arch.verify.subject import State, Subject

STATES = (State(perturbed=True), State(perturbed=True, train=True))
LONG, LONG_FROM = 2048, 257
"""A run of the first length is cut as well where the settings ask for the second."""


@dataclass(frozen=True)
class Cut:
    """A prefix, how far it is from the longer run, and how far the future moves that run."""

    state: State
    prefix: int
    length: int
    change: float
    future_change: float

    @property
    def differs(self) -> bool:
        """Whether the difference is more than rounding."""
        return self.change > TOLERANCE

    @property
    def reads_future(self) -> bool:
        """Whether the tokens after the prefix matter, and not only their number."""
        return self.future_change > TOLERANCE


def check(subject: Subject) -> Finding:
    """Compare prefixes of the longest run with runs of their own."""
    cuts = list(_cuts(subject))
    different = [cut for cut in cuts if cut.differs]
    measured: dict[str, float | int | str] = {
        "largest_change": rounded(max((cut.change for cut in cuts), default=0.0)),
        "tolerance": TOLERANCE,
        "prefixes": len(cuts),
    }
    if not different:
        return Finding(check="prefix", passed=True, measured=measured)
    reads_future = any(cut.reads_future for cut in different)
    measured["cause"] = "reads the future" if reads_future else "depends on the total length"
    return Finding(
        check="prefix",
        passed=False,
        measured=measured | {"different": len(different)},
        evidence=_evidence(different[0], str(measured["cause"])),
        hint=FUTURE_HINT if reads_future else _length_hint(different, cuts),
    )


FUTURE_HINT = (
    "The later tokens themselves matter: see the causality finding, whose repair repairs this too."
)


def _cuts(subject: Subject) -> Iterator[Cut]:
    """Cut the longest run in each state, and a much longer one where the lengths are long."""
    longest = max(subject.settings.lengths)
    shorter = sorted({*subject.settings.lengths, 63, 65, 128, longest - 1})
    for state in STATES:
        yield from _prefixes(subject, state, longest, [n for n in shorter if 0 < n < longest])
    if longest >= LONG_FROM:
        yield from _prefixes(subject, State(perturbed=True), LONG, [LONG_FROM, LONG // 2])


def _prefixes(
    subject: Subject, state: State, longest: int, shorter: Sequence[int]
) -> Iterator[Cut]:
    """Yield the cuts of one run; none where random masks depend on the shape."""
    module = subject.build(state)
    inputs = subject.inputs(1, longest)
    whole = subject.run(module, inputs)
    if state.train and drawn(subject.settings.seed):
        return
    for prefix in shorter:
        change = relative_change(
            whole[:, :prefix], subject.run(module, inputs[:, :prefix].clone()), whole
        )
        future = _future_change(subject, module, whole, prefix) if change > TOLERANCE else 0.0
        yield Cut(state, prefix, longest, change, future)


def _future_change(subject: Subject, module: nn.Module, whole: Tensor, prefix: int) -> float:
    """How far the output up to the prefix moves when the inputs after it are replaced."""
    inputs, noise = (subject.inputs(1, whole.shape[1], seed=seed) for seed in (0, 1))
    replaced = torch.cat([inputs[:, :prefix], noise[:, prefix:]], dim=1)
    other = subject.run(module, replaced)[:, :prefix]
    return relative_change(whole[:, :prefix], other, whole)


def _evidence(cut: Cut, cause: str) -> str:
    return (
        f"the first {cut.prefix} tokens alone differ by {cut.change:.2g} of the output's scale "
        f"from the same tokens in a run of {cut.length} ({cut.state}); replacing the tokens after "
        f"them moves that run by {cut.future_change:.2g}: it {cause}"
    )


def _length_hint(different: list[Cut], cuts: list[Cut]) -> str:
    if len(different) == len(cuts):
        return (
            "The output depends on how long the sequence is, not on what comes later: a division "
            "by the length, positions counted from the end or scaled by it, or a decay or window "
            "derived from it. Use the position of the token instead."
        )
    longest = different[0].length
    sizes = sorted({cut.prefix for cut in different if cut.length == longest})
    return (
        f"Only some lengths differ ({', '.join(map(str, sizes))} against {longest}): a "
        "branch that depends on the length, or padding to a chunk that is not undone or counted "
        "in a statistic."
    )
