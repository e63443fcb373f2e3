"""Whether the origins that are claimed for parts are those that they are traced to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from asi_arch.cli.estimates import SIGN_COLOURS, shown
from asi_arch.cli.output import Column, table
from asi_arch.cli.parts import parts
from asi_arch.records import Experiment, Origin, Status

if TYPE_CHECKING:
    from asi_arch.agreement import Estimate

_NONE = (
    "no complete candidate has traced parts: with --team llm the Analyst traces each part of an "
    "experiment that was trained, unless analyst.trace is false"
)
_SENTENCES = {
    None: "whether claims and traces agree cannot be said yet",
    0: "claims and traces agree no more than chance would have it",
    1: "claims and traces agree more than chance would have it",
    -1: "claims and traces agree less than chance would have it",
}


@dataclass(frozen=True)
class Traced:
    """How many parts had which claimed and traced origin; Cohen's kappa over experiments."""

    experiments: int
    counts: Counter[tuple[Origin, Origin]]
    kappa: "Estimate"

    @property
    def share(self) -> float:
        """Which share of the parts has the same origin in both."""
        return sum(self.counts[origin, origin] for origin in Origin) / self.counts.total()

    @property
    def sentence(self) -> str:
        """What kappa says of the claims."""
        return _SENTENCES[self.kappa.sign]

    def document(self) -> dict[str, Any]:
        """Return all of it for programs; counts by claimed, then by traced origin."""
        return {
            "experiments": self.experiments,
            "components": self.counts.total(),
            "counts": {claim: {to: self.counts[claim, to] for to in Origin} for claim in Origin},
            "agreement": self.share,
            "kappa": self.kappa.value,
            "low": self.kappa.low,
            "high": self.kappa.high,
            "sentence": self.sentence,
        }


def traced(candidates: Sequence[Experiment]) -> Traced | None:
    """Compare claims and traces of complete candidates, None while there are no traces."""
    from asi_arch.agreement import estimate, kappa

    complete = [_counts(e) for e in candidates if e.status == Status.COMPLETE]
    found = [counts for counts in complete if counts]
    if not found:
        return None
    tables = [[[counts[claim, to] for to in Origin] for claim in Origin] for counts in found]
    return Traced(len(found), sum(found, Counter()), estimate(kappa, tables))


def _counts(experiment: Experiment) -> Counter[tuple[Origin, Origin]]:
    """Return how many parts had which claimed and traced origin."""
    return Counter((p.component.origin, p.trace.origin) for p in parts(experiment) if p.trace)


def print_traced(found: Traced | None, console: Console) -> None:
    """Print the comparison, or how to get one."""
    if found is None:
        console.print(Text(_NONE))
        return
    columns = [Column[Origin]("claimed, by trace:", lambda claim: claim.value, left=True)]
    columns += [_column(found, to) for to in Origin]
    console.print(table(columns, list(Origin), console.width))
    console.print(Text(f"agreement: {found.share:.0%} of {found.counts.total()} parts"))
    console.print(Text(f"Cohen's kappa: {shown(found.kappa)}"))
    console.print(Text(found.sentence, SIGN_COLOURS[found.kappa.sign]))


def _column(found: Traced, to: Origin) -> Column[Origin]:
    """Return the counts of one traced origin; where it is the claimed one in green."""

    def cell(claim: Origin) -> Text:
        return Text(str(found.counts[claim, to]), "green" if claim == to else "")

    return Column(to.value, cell)
