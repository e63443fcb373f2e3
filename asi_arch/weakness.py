"""Where an experiment measured worse than the strongest baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from asi_arch.records import Finding, Run

_RECALL = 0.1  # accuracy; seeds of one layer differ by less than this where it has learnt the task
_EXPONENT = 1.1
_BFLOAT16 = 0.05


@dataclass(frozen=True)
class Weakness:
    """A sentence with the numbers, and the words to look for in the literature."""

    sentence: str
    query: str


def weaknesses(
    runs: Sequence[Run], reference: Sequence[Run], findings: Sequence[Finding], name: str
) -> list[Weakness]:
    """Return what the runs and findings of an experiment show, the gravest first.

    `reference` are the runs of the strongest baseline, which is called `name`.
    """
    found = [_recall(runs, reference, name), _loss(runs, reference, name), *_checks(findings)]
    return [weakness for weakness in found if weakness is not None]


def _recall(runs: Sequence[Run], reference: Sequence[Run], name: str) -> Weakness | None:
    own, other = _accuracies(runs), _accuracies(reference)
    if not own or not other or max(own) >= max(other) - _RECALL:
        return None
    return Weakness(
        f"recall accuracy {max(own):.2f}, {name} has {max(other):.2f}",
        "associative recall, overwrite the old value of a key, delta rule, key collisions",
    )


def _accuracies(runs: Sequence[Run]) -> list[float]:
    return [
        score.value
        for run in runs
        if run.stage == "probe" and run.measurement is not None
        for score in run.measurement.scores[:1]
    ]


def _loss(runs: Sequence[Run], reference: Sequence[Run], name: str) -> Weakness | None:
    own, other = _losses(runs), _losses(reference)
    seeds = own.keys() & other.keys()
    if not seeds:
        return None
    behind = fmean(own[seed] - other[seed] for seed in seeds)
    if behind <= 0:
        return None
    return Weakness(
        f"held-out loss {behind:.3f} nats per token above {name}",
        "language modelling loss, data-dependent decay, forget gate, short convolution",
    )


def _losses(runs: Sequence[Run]) -> dict[int, float]:
    return {
        run.seed: run.measurement.loss
        for run in runs
        if run.stage == "explore" and run.measurement is not None and run.measurement.loss
    }


def _checks(findings: Sequence[Finding]) -> list[Weakness]:
    numbers = {name: value for finding in findings for name, value in finding.measured.items()}
    exponent, change = numbers.get("work_exponent"), numbers.get("bfloat16_change")
    found = []
    if isinstance(exponent, float | int) and exponent > _EXPONENT:
        sentence = f"work grows as the length to the power {exponent:.2f}"
        found.append(Weakness(sentence, "linear time chunkwise parallel form, hardware-aware"))
    if isinstance(change, float | int) and change > _BFLOAT16:
        sentence = f"bfloat16 moves the output by {change:.2f} of its scale"
        found.append(Weakness(sentence, "normalisation, numerical stability in low precision"))
    return found
