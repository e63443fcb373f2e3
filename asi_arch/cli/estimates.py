"""An estimate as text, and the colour of what it says."""

from typing import TYPE_CHECKING

from asi_arch.cli.output import number

if TYPE_CHECKING:
    from asi_arch.agreement import Estimate

SIGN_COLOURS = {None: "yellow", 0: "yellow", 1: "green", -1: "red"}


def shown(estimate: "Estimate") -> str:
    """Return value and 95 % interval, or that there is none."""
    if estimate.value is None:
        return "undefined, nothing varies yet"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.2f}, too few for an interval"
    low, high = (number(end, 2, sign=True) for end in (estimate.low, estimate.high))
    return f"{estimate.value:+.2f} (95 % interval {low} to {high})"
