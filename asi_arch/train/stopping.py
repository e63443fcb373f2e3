"""Rules that end a training early, by what the strongest baseline did at the same steps."""

from asi_arch.config import Stop
from asi_arch.errors import StoppedEarly
from asi_arch.records import MetricPoint, Pace


def check(rules: Stop, pace: Pace | None, point: MetricPoint, speed: float, share: float) -> None:
    """Let a training go on that has come to `point`, a share of its way, at `speed` tokens/s.

    Raises:
        StoppedEarly: a rule says that it is not worth its time, or cannot be honest.
    """
    if pace is None:
        return
    slow = rules.slower_than
    if slow is not None and speed * slow < pace.tokens_per_second:
        raise StoppedEarly(
            f"at step {point.step}: {speed:,.0f} tokens/s are more than {slow:g} times "
            f"slower than the baseline's {pace.tokens_per_second:,.0f}"
        )
    mark = next((mark for mark in pace.marks if mark.step == point.step), None)
    if mark is None:
        return
    away = point.loss - mark.loss
    if rules.band is not None and abs(away) > rules.band * mark.loss:
        raise StoppedEarly(
            f"at step {point.step}: the training loss {point.loss:.4f} is more than "
            f"{rules.band:.0%} away from the baseline's {mark.loss:.4f}"
        )
    hopeless = None if rules.futility is None else rules.futility * mark.deviation
    if hopeless is not None and share >= 0.5 and away > hopeless > 0:
        raise StoppedEarly(
            f"at step {point.step}: the training loss {point.loss:.4f} is above the "
            f"baseline's {mark.loss:.4f} by more than {rules.futility:g} standard deviations of "
            f"its seeds ({mark.deviation:.4f})"
        )
