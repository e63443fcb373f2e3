"""How well the Analyst's opinions of programs foretell what is measured."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from asi_arch.cli.estimates import SIGN_COLOURS, shown
from asi_arch.cli.output import number
from asi_arch.records import Experiment

if TYPE_CHECKING:
    from asi_arch.agreement import Estimate

_NONE = (
    "no candidate has both an opinion and a fitness: with --team llm the Analyst judges each "
    "program before it is trained, unless analyst.judge is false"
)
_SENTENCES = {
    None: "what the judge's order is worth cannot be said yet",
    0: "the judge's order is no better than chance",
    1: "the judge's order is better than chance",
    -1: "the judge's order is worse than chance: what it likes does badly",
}


@dataclass(frozen=True)
class Judged:
    """Scores of those that beat the strongest baseline and of the others; the rank correlation."""

    better: Sequence[float]
    others: Sequence[float]
    order: "Estimate"

    @property
    def sentence(self) -> str:
        """What the correlation says of the judge."""
        return _SENTENCES[self.order.sign]

    def document(self) -> dict[str, Any]:
        """Return all of it for programs."""
        return {
            "experiments": len(self.better) + len(self.others),
            "spearman": self.order.value,
            "low": self.order.low,
            "high": self.order.high,
            "better": {"experiments": len(self.better), "mean_score": _mean(self.better)},
            "others": {"experiments": len(self.others), "mean_score": _mean(self.others)},
            "sentence": self.sentence,
        }


def judged(candidates: Sequence[Experiment]) -> Judged | None:
    """Compare opinions with fitness, None while no candidate has both."""
    from asi_arch.agreement import estimate, spearman

    pairs = [
        (e.judgement.score, e.fitness) for e in candidates if e.judgement and e.fitness is not None
    ]
    if not pairs:
        return None
    return Judged(
        better=[score for score, fitness in pairs if fitness > 0],
        others=[score for score, fitness in pairs if fitness <= 0],
        order=estimate(spearman, pairs),
    )


def print_judged(found: Judged | None, console: Console) -> None:
    """Print the comparison, or how to get one."""
    if found is None:
        console.print(Text(_NONE))
        return
    better, others = len(found.better), len(found.others)
    console.print(Text(f"candidates with an opinion and a fitness: {better + others}"))
    console.print(Text(f"Spearman's rank correlation: {shown(found.order)}"))
    means = f"{number(_mean(found.better), 2)} of the {better} that beat the strongest baseline"
    means += f", {number(_mean(found.others), 2)} of the {others} others"
    console.print(Text(f"mean score: {means}"))
    console.print(Text(found.sentence, SIGN_COLOURS[found.order.sign]))


def _mean(scores: Sequence[float]) -> float | None:
    return statistics.fmean(scores) if scores else None
