"""Does the output before t stay the same whatever comes at and after t?"""

from collections.abc import Iterator

from asi_arch.records import Finding
from asi_arch.verify.compare import TOLERANCE, rounded
from asi_arch.verify.locate import Place, locate
from asi_arch.verify.subject import Subject
from asi_arch.verify.trials import GRADIENT, Trial, gradients, replacements


def check(subject: Subject) -> Finding:
    """Replace the future in every state and at every length; then ask the gradients."""
    trials = [*replacements(subject), *gradients(subject)]
    leaks = [trial for trial in trials if trial.leaks]
    largest = max((trial.change for trial in trials), default=0.0)
    measured: dict[str, float | int | str] = {
        "largest_change": rounded(largest),
        "tolerance": TOLERANCE,
        "trials": len(trials),
    }
    if not leaks:
        return Finding(check="causality", passed=True, measured=measured)
    first = min(leaks, key=lambda leak: (leak.way == GRADIENT, leak.length, leak.start))
    place = locate(subject, first.state, first.batch, first.length, first.start)
    return Finding(
        check="causality",
        passed=False,
        measured=measured | _measured(leaks, place),
        evidence=_evidence(first, len(leaks), place),
        hint=_hint(leaks, trials, place),
    )


def _measured(leaks: list[Trial], place: Place) -> dict[str, float | int | str]:
    return {
        "leaks": len(leaks),
        "smallest_t": min(leak.start for leak in leaks),
        "nearest_offset": place.nearest,
        "farthest_offset": place.farthest,
        "pattern": place.pattern,
        "module": place.module,
    }


def _evidence(first: Trial, count: int, place: Place) -> str:
    parts = [
        f"{first}: the output before {first.start} moved by {first.change:.2g} of its scale "
        f"({count} leaking trials)"
    ]
    if place.farthest:
        parts.append(
            f"positions see {place.nearest} to {place.farthest} tokens ahead ({place.pattern})"
        )
    if place.module:
        parts.append(f"the future enters {place.module}")
    return "; ".join(parts)


def _hint(leaks: list[Trial], trials: list[Trial], place: Place) -> str:
    conditions = "".join(text for text in _conditions(leaks, trials))
    return f"{place.hint}{conditions}"


def _conditions(leaks: list[Trial], trials: list[Trial]) -> Iterator[str]:
    """Say when it leaks, where that is narrower than always."""
    if all(leak.state.train for leak in leaks):
        yield " It happens in train mode only: look at what self.training or dropout switches."
    if all(not leak.state.train for leak in leaks):
        yield " It happens in eval mode only: look at what self.training switches."
    if all(leak.state.perturbed for leak in leaks):
        yield " It shows only away from the initial parameters: a gate or weight starts at zero."
    lengths = sorted({trial.length for trial in trials})
    shortest = min(leak.length for leak in leaks)
    if shortest > lengths[0] and any(t.length < shortest and t.start > 1 for t in trials):
        yield f" It appears from length {shortest} on, not at shorter ones."
    if _needs_company(leaks, trials):
        yield " It appears only when the batch has more than one sample."
    if all(leak.way == "large values" for leak in leaks):
        yield " Only large values do it: look for a threshold, a maximum or an overflow."


def _needs_company(leaks: list[Trial], trials: list[Trial]) -> bool:
    """Whether a cut that leaks in a batch is clean when its sample is alone."""
    alone = {(t.state, t.length, t.start) for t in trials if t.batch == 1 and not t.leaks}
    return any((leak.state, leak.length, leak.start) in alone for leak in leaks)
