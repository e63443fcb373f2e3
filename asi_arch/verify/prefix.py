"""Do the first t tokens alone give what they give inside a longer run?"""

from dataclasses import dataclass

import torch

from asi_arch.records import Finding
from asi_arch.verify.compare import TOLERANCE, relative_change, rounded
from asi_arch.verify.subject import State, Subject

STATES = (State(), State(perturbed=True))


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
    """Compare prefixes of the longest run with runs of their own, in eval mode."""
    cuts = [cut for state in STATES for cut in _cuts(subject, state)]
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


def _cuts(subject: Subject, state: State) -> list[Cut]:
    longest = max(subject.settings.lengths)
    shorter = sorted({*subject.settings.lengths, 63, 65, 128, longest - 1})
    module = subject.build(state)
    inputs = subject.inputs(2, longest)
    noise = subject.inputs(2, longest, seed=1)
    whole = subject.run(module, inputs)
    cuts = []
    for prefix in (size for size in shorter if 0 < size < longest):
        expected = whole[:, :prefix]
        alone = subject.run(module, inputs[:, :prefix].clone())
        change = relative_change(expected, alone, whole)
        future_change = 0.0
        if change > TOLERANCE:
            replaced = torch.cat([inputs[:, :prefix], noise[:, prefix:]], dim=1)
            other = subject.run(module, replaced)[:, :prefix]
            future_change = relative_change(expected, other, whole)
        cuts.append(Cut(state, prefix, longest, change, future_change))
    return cuts


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
    sizes = sorted({cut.prefix for cut in different})
    return (
        f"Only some lengths differ ({', '.join(map(str, sizes))} against {cuts[0].length}): a "
        "branch that depends on the length, or padding to a chunk that is not undone or counted "
        "in a statistic."
    )
