"""How experiments, programs, findings and the history read in a prompt.

Whatever a model, a paper or a program wrote is put on one line or quoted, so that it cannot pass
for a part of the prompt.
"""

import re
from collections import Counter
from collections.abc import Sequence

from asi_arch.records import Experiment, Finding, Outcome, Program, Status

_LONG = 800  # characters of a motivation or a summary
_EVIDENCE = 4_000  # characters of what a check or a traceback says
_BEST = 5


def describe(experiment: Experiment) -> str:
    """A few lines: number, name, fitness, idea, and what was learnt.

    How far a baseline is depends on the moment, and a prompt must not: it would be another
    question after a restart.
    """
    fitness = "none" if experiment.fitness is None else f"{experiment.fitness:+.2f}"
    is_baseline = experiment.kind == "baseline"
    kind = "baseline" if is_baseline else f"{experiment.kind}, {experiment.status}"
    lines = [f"experiment {experiment.id}: {experiment.name} ({kind}, fitness {fitness})"]
    if experiment.proposal is not None:
        parts = [f"{one_line(p.name)} [{p.origin}]" for p in experiment.proposal.components]
        lines.append(f"  idea: {one_line(experiment.proposal.motivation)}")
        lines.append(f"  parts: {'; '.join(parts)}")
    if experiment.reason:
        lines.append(f"  ended: {one_line(experiment.reason)}")
    if experiment.analysis is not None:
        lines.append(f"  analysis: {one_line(experiment.analysis.summary)}")
        lines += [f"  keep: {one_line(rule)}" for rule in experiment.analysis.keep]
        lines += [f"  drop: {one_line(rule)}" for rule in experiment.analysis.drop]
    return "\n".join(lines)


def source(holder: Experiment | Program) -> str:
    """The program in a code fence that it cannot close, whole."""
    program = holder.program if isinstance(holder, Experiment) else holder
    if program is None:
        return "(no program)"
    ticks = max((len(run) for run in re.findall("`+", program.source)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}python\n{program.source.rstrip()}\n{fence}"


def finding(found: Finding) -> str:
    """What a check measured and saw, its evidence quoted."""
    lines = [f"{found.check}:", quoted(_end(found.evidence))]
    lines += [f"  {name} = {one_line(str(value))}" for name, value in found.measured.items()]
    if found.hint:
        lines.append(f"  hint: {one_line(found.hint)}")
    return "\n".join(lines)


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


def quoted(text: str) -> str:
    """Each line behind a mark, as in an answered letter."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def one_line(text: str) -> str:
    """The text on one line, cut at a word when it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _LONG else text[:_LONG].rsplit(" ", 1)[0] + " …"


def _end(text: str) -> str:
    """The end of a long text, where tracebacks say what happened."""
    return text if len(text) <= _EVIDENCE else "… " + text[-_EVIDENCE:]
