"""Does the output before t stay the same whatever comes at and after t?"""

from collections.abc import Callable, Iterator

from asi_arch.records import Finding
from asi_arch.verify.compare import TOLERANCE, rounded
from asi_arch.verify.locate import Place, locate
from asi_arch.verify.replace import SIZES
from asi_arch.verify.replacements import replacements
from asi_arch.verify.subject import Subject
from asi_arch.verify.trials import GRADIENT, Trial, gradients


def check(subject: Subject) -> Finding:
    """Replace the future in every state and at every length; then ask the gradients."""
    trials = [*replacements(subject), *gradients(subject)]
    leaks = [trial for trial in trials if trial.leaks]
    counted = [trial.change for trial in trials if trial.leaks or not trial.state.precision]
    largest = max(counted, default=0.0)
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
    small = leak.length <= 65
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


CONDITIONS: dict[str, Callable[[Trial], bool]] = {
    "It happens in train mode only: look at what self.training or dropout switches.": (
        lambda trial: trial.state.train
    ),
    "It happens in eval mode only: look at what self.training switches.": (
        lambda trial: not trial.state.train
    ),
    "It shows only away from the initial parameters: a gate or weight starts at zero.": (
        lambda trial: trial.state.perturbed
    ),
    "It appears only when the batch has more than one sample.": lambda trial: trial.batch > 1,
    "It appears only when a sample is alone in its batch.": lambda trial: trial.batch == 1,
    "It begins after some calls only: look for a counter, a schedule or a cache.": (
        lambda trial: trial.state.called > 0
    ),
    "It happens in some layers of a model only: look at what layer_idx switches.": (
        lambda trial: trial.state.layer > 0
    ),
    "It happens at some widths or numbers of heads only.": (
        lambda trial: trial.state.size is not None
    ),
    "It happens only while gradients are recorded.": lambda trial: trial.state.recorded,
    "It happens in half precision only: look at branches on the dtype or on autocast.": (
        lambda trial: bool(trial.state.precision)
    ),
    "It happens now and then only: look for a random draw that switches something.": (
        lambda trial: trial.state.seed > 0
    ),
}


def _conditions(leaks: list[Trial], trials: list[Trial]) -> Iterator[str]:
    """Say when it leaks, where that is narrower than always."""
    for sentence, condition in CONDITIONS.items():
        if _only(condition, leaks, trials):
            yield f" {sentence}"
    shortest = min(leak.length for leak in leaks)
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
