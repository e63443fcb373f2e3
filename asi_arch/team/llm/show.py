"""How experiments, programs and the history read in a prompt."""

from collections import Counter
from collections.abc import Sequence

from asi_arch.records import Experiment, Outcome, Program, Status

_LONG = 800  # characters of a motivation or a summary
_BEST = 5


def describe(experiment: Experiment) -> str:
    """A few lines: number, name, fitness, idea, and what was learnt."""
    fitness = "none" if experiment.fitness is None else f"{experiment.fitness:+.2f}"
    lines = [
        f"experiment {experiment.id}: {experiment.name} "
        f"({experiment.kind}, {experiment.status}, fitness {fitness})"
    ]
    if experiment.proposal is not None:
        parts = [f"{part.name} [{part.origin}]" for part in experiment.proposal.components]
        lines.append(f"  idea: {_short(experiment.proposal.motivation)}")
        lines.append(f"  parts: {'; '.join(parts)}")
    if experiment.reason:
        lines.append(f"  ended: {_short(experiment.reason)}")
    if experiment.analysis is not None:
        lines.append(f"  analysis: {_short(experiment.analysis.summary)}")
        lines += [f"  keep: {rule}" for rule in experiment.analysis.keep]
        lines += [f"  drop: {rule}" for rule in experiment.analysis.drop]
    return "\n".join(lines)


def source(holder: Experiment | Program) -> str:
    """The program in a code fence, whole."""
    program = holder.program if isinstance(holder, Experiment) else holder
    if program is None:
        return "(no program)"
    return f"```python\n{program.source.rstrip()}\n```"


def history(outcomes: Sequence[Outcome]) -> str:
    """One paragraph: how many experiments ended how, and the best of them."""
    finished = [o for o in outcomes if o.status.is_finished]
    if not finished:
        return "No experiment is finished yet."
    counts = Counter(o.status for o in finished)
    ends = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    shown = [f"experiment {o.experiment_id} ({o.kind}) {o.fitness:+.2f}" for o in best(outcomes)]
    listed = ", ".join(shown) or "none"
    return f"{len(finished)} experiments finished: {ends}. Best fitness: {listed}."


def best(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The few with the highest fitness, the best first."""
    scored = [(-o.fitness, o.experiment_id, o) for o in outcomes if o.fitness is not None]
    return [o for _, _, o in sorted(scored, key=lambda item: item[:2])[:_BEST]]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONG else text[:_LONG].rsplit(" ", 1)[0] + " …"
