"""Calls to language models as a table, and what they come to."""

import math
import statistics
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.output import NONE, Column, count, number, table
from asi_arch.cli.transcript import call_title

if TYPE_CHECKING:
    from asi_arch.store.records import CallRecord

_ERROR = 160
COLOURS = {"open": "yellow", "answered": "", "failed": "red"}


class Summary(NamedTuple):
    """Medians and ninetieth percentiles; what is None had nothing to count."""

    calls: int
    failed: int
    faults: int
    per_experiment: tuple[float, float] | None
    prompt_tokens: tuple[float, float] | None
    cost: float
    unpriced: int


def print_calls(found: "Sequence[CallRecord]", full: bool, console: Console) -> None:
    """Print a line a call, what went wrong, and a footer."""
    console.print(_table(found, console.width))
    for call in found:
        if call.error:
            error = call.error if full else textwrap.shorten(call.error, _ERROR)
            console.print(Text(f"{call_title(call)}: {error}", "red"))
        for fault in call.faults if full else ():
            console.print(Text(f"{call_title(call)}, before: {fault}", "yellow"))
    console.print(Text(_footer(summary(found))))


def _table(found: "Sequence[CallRecord]", width: int) -> Padding:
    columns: list[Column[CallRecord]] = [
        Column("id", lambda c: str(c.id)),
        Column("of", lambda c: str(c.experiment_id)),
        Column("call", lambda c: f"{c.role}.{c.task}", left=True),
        Column("attempt", lambda c: str(c.attempt), 4),
        Column("status", lambda c: Text(c.status, COLOURS[c.status]), left=True),
        Column("model", lambda c: c.model or NONE, 3, left=True),
        Column("prompt", lambda c: count(c.prompt_tokens), 1),
        Column("cached", lambda c: count(c.cached_tokens), 7),
        Column("answer", lambda c: count(c.completion_tokens), 2),
        Column("US dollars", lambda c: number(c.cost), 5),
        Column("seconds", lambda c: number(c.seconds, 1), 6),
        Column("faults", _faults, 1),
    ]
    return table(columns, found, width)


def _faults(call: "CallRecord") -> Text:
    return Text(str(len(call.faults)), "yellow" if call.faults else "")


def summary(found: "Sequence[CallRecord]") -> Summary:
    """Return what some calls come to."""
    answered = [call for call in found if call.status == "answered"]
    return Summary(
        calls=len(found),
        failed=sum(call.status == "failed" for call in found),
        faults=sum(len(call.faults) for call in found),
        per_experiment=_middle(list(Counter(call.experiment_id for call in found).values())),
        prompt_tokens=_middle([call.prompt_tokens for call in answered]),
        cost=math.fsum(call.cost or 0.0 for call in answered),
        unpriced=sum(call.cost is None for call in answered),
    )


def _middle(values: Sequence[int]) -> tuple[float, float] | None:
    """Return the median and the smallest value that nine in ten do not pass."""
    if not values:
        return None
    ninth = sorted(values)[math.ceil(0.9 * len(values)) - 1]
    return float(statistics.median(values)), float(ninth)


def _footer(total: Summary) -> str:
    """Return the summary, a line for each kind of number."""
    words = {"calls per experiment": total.per_experiment, "prompt tokens": total.prompt_tokens}
    unknown = f", unknown for {total.unpriced}" if total.unpriced else ""
    lines = [
        f"calls: {total.calls}, failed {total.failed / total.calls:.0%}, faults {total.faults}, "
        f"US dollars {total.cost:.2f}{unknown}"
    ]
    lines += [
        f"{name}: median {count(pair[0])}, nine in ten up to {count(pair[1])}"
        for name, pair in words.items()
        if pair
    ]
    return "\n".join(lines)
