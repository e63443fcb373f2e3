"""Does the output before t stay the same whatever comes at and after t?"""

from collections.abc import Callable, Iterator

from asi_arch.records import Finding
from asi_arch.verify.compare import TOLERANCE, rounded
from asi_arch.verify.locate import Place, locate
from asi_arch.verify.replace import SIZES
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
    clearest = min(leaks, key=lambda leak: _clarity(leak, subject.settings.hidden_size))
    place = locate(subject, clearest)
    return Finding(
        check="causality",
        passed=False,
        measured=measured | _measured(leaks, place),
        evidence=_evidence(clearest, len(leaks), place),
        hint=place.hint + "".join(_conditions(leaks, trials)),
    )


def _clarity(leak: Trial, hidden_size: int) -> tuple[bool, bool, bool, int, int]:
    """Sort key: patterns show best on short sequences of more than a chunk, told from the width."""
    small = leak.length < 65
    return (leak.way == GRADIENT, small, leak.length == hidden_size, leak.length, leak.start)


def _measured(leaks: list[Trial], place: Place) -> dict[str, float | int | str]:
    return {
        "leaks": len(leaks),
        "smallest_t": min(leak.start for leak in leaks),
        "nearest_offset": place.nearest,
        "farthest_offset": place.farthest,
        "pattern": place.pattern,
    }


def _evidence(leak: Trial, count: int, place: Place) -> str:
    parts = [
        f"{leak}: the output before {leak.start} moved by {leak.change:.2g} of its scale "
        f"({count} leaking trials)"
    ]
    if place.farthest:
        parts.append(f"offsets {place.nearest} to {place.farthest} tokens ({place.pattern})")
    if place.line:
        parts.append(f"first seen at {place.line}")
    return "; ".join(parts)


def _conditions(leaks: list[Trial], trials: list[Trial]) -> Iterator[str]:
    """Say when it leaks, where that is narrower than always."""
    shortest = min(leak.length for leak in leaks)
    if _only(lambda trial: trial.state.train, leaks, trials):
        yield " It happens in train mode only: look at what self.training or dropout switches."
    if _only(lambda trial: not trial.state.train, leaks, trials):
        yield " It happens in eval mode only: look at what self.training switches."
    if _only(lambda trial: trial.state.perturbed, leaks, trials):
        yield " It shows only away from the initial parameters: a gate or weight starts at zero."
    if _only(lambda trial: trial.batch > 1, leaks, trials):
        yield " It appears only when the batch has more than one sample."
    if _only(lambda trial: trial.batch == 1, leaks, trials):
        yield " It appears only when a sample is alone in its batch."
    if _only(lambda trial: trial.state.called > 0, leaks, trials):
        yield " It begins after some calls only: look for a counter, a schedule or a cache."
    if any(t.length < shortest and t.start in _starts(leaks) for t in trials):
        yield f" It appears from length {shortest} on, not at shorter ones."
    if all(leak.way in SIZES for leak in leaks):
        yield " Only large values do it: look for a threshold, a maximum or an overflow."


def _only(condition: Callable[[Trial], bool], leaks: list[Trial], trials: list[Trial]) -> bool:
    """Whether all leaks meet the condition, and the same cut without it is clean."""
    cuts = {(leak.length, leak.start, leak.way) for leak in leaks}
    without = (t for t in trials if not condition(t))
    return all(map(condition, leaks)) and any((t.length, t.start, t.way) in cuts for t in without)


def _starts(leaks: list[Trial]) -> set[int]:
    return {leak.start for leak in leaks}
