"""One experiment as text: everything the database knows of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from asi_arch.cli.facts import COLOURS, mark
from asi_arch.cli.output import NONE, Column, count, number, signed, table, with_error
from asi_arch.cli.parts import print_parts
from asi_arch.cli.results import marks_line, noise_line
from asi_arch.cli.spark import sparklines
from asi_arch.evaluate.diagnosis import diagnosis
from asi_arch.records import Experiment, Finding, Run, Score

if TYPE_CHECKING:
    from asi_arch.standings import Standings


@dataclass(frozen=True)
class Portrait:
    """All that is known of an experiment; `reference_runs` are the strongest baselines'."""

    experiment: Experiment
    others: Mapping[int, Experiment]
    titles: Mapping[str, str]
    findings: Sequence[tuple[int, Finding]]
    runs: Sequence[Run]
    reference_runs: Sequence[Run]
    facts: Mapping[str, "Standings"]
    marks: dict[str, float]
    noise: dict[str, float | None]
    gates: Mapping[str, str]

    def name_of(self, id: int | None) -> str | None:
        """Return the name of another experiment of the campaign."""
        return self.others[id].name if id is not None and id in self.others else None

    def citations(self) -> list[str]:
        """Return every id that the components cite, once, in order."""
        proposal = self.experiment.proposal
        parts = proposal.components if proposal else ()
        return list(dict.fromkeys(id for part in parts for id in part.citations))

    def cited(self, id: str) -> str:
        """Return the title of a knowledge entry, or the name of an experiment."""
        if id in self.titles:
            return self.titles[id]
        return (self.name_of(int(id)) if id.isdecimal() else None) or "unknown"


def print_portrait(found: Portrait, console: Console) -> None:
    """Print the sections that have something to say."""
    sections: list[tuple[str, Callable[[Portrait, Console], None], object]] = [
        ("", _head, True),
        ("Proposal", _proposal, found.experiment.proposal),
        ("Findings", _findings, found.findings),
        ("Opinion before training", _judgement, found.experiment.judgement),
        ("Runs", _runs, found.runs),
        ("Analysis", _analysis, found.experiment.analysis),
        ("Program", _program, found.experiment.program),
    ]
    for name, write, content in sections:
        if not content:
            continue
        if name:
            console.print(Text(f"\n{name}", "bold underline"))
        write(found, console)


def _head(found: Portrait, console: Console) -> None:
    e = found.experiment
    console.print(Text(f"{e.id} {e.name or NONE}", "bold").append(f"  {e.kind} {e.number}", "cyan"))
    console.print(Text(f"status: {e.status.value}" + (f", {e.reason}" if e.reason else "")))
    if e.fitness is not None:
        meaning = mark(e.fitness) if e.kind == "candidate" else ""
        gain = found.facts["explore"].gain(e.id)
        line = Text("fitness: ").append(f"{e.fitness:+.2f} {meaning}".strip(), COLOURS[meaning])
        console.print(line.append(f", gain {number(gain, sign=True)} nats per token at explore"))
    for stage, why in found.gates.items():
        console.print(Text(f"came to {stage}: {_GATES[why]}"))
    if e.parent_id is not None:
        console.print(Text(f"parent: {_with_id(found, e.parent_id)}"))
    if e.reference_ids:
        shown = ", ".join(_with_id(found, id) for id in e.reference_ids)
        console.print(Text(f"references: {shown}"))
    for reason in e.rejections:
        console.print(Text(f"earlier proposal not taken: {reason}", "yellow"))
    if e.twin_ids:
        shown = ", ".join(_with_id(found, id) for id in dict.fromkeys(e.twin_ids))
        console.print(Text(f"earlier proposals repeated: {shown}", "yellow"))


_GATES = {
    "winner": "passed the gate",
    "loser": "did not pass the gate, drawn by chance to see what the gate misses",
    "named": "named by asi-arch final",
}


def _with_id(found: Portrait, id: int) -> str:
    return f"{id} {found.name_of(id) or NONE}"


def _proposal(found: Portrait, console: Console) -> None:
    proposal = found.experiment.proposal
    assert proposal is not None
    console.print(Text(proposal.motivation))
    print_parts(found.experiment, console)
    for id in found.citations():
        console.print(Text(f"  {id}: {found.cited(id)}", "cyan"))


def _findings(found: Portrait, console: Console) -> None:
    console.print(findings_table(found.findings, console.width))
    for round, finding in found.findings:
        if not finding.passed:
            console.print(Text(f"round {round}, {finding.check}: {finding.evidence}", "red"))
            console.print(Text(f"  hint: {finding.hint or NONE}"))


def findings_table(findings: Sequence[tuple[int, Finding]], width: int) -> Padding:
    """Return check, verdict and what was measured, a line each."""
    columns = [
        Column[tuple[int, Finding]]("round", lambda f: str(f[0])),
        Column[tuple[int, Finding]]("check", lambda f: f[1].check, left=True),
        Column[tuple[int, Finding]]("verdict", lambda f: verdict(f[1]), left=True),
        Column[tuple[int, Finding]]("measured", lambda f: measured(f[1]), left=True),
    ]
    return table(columns, findings, width)


def verdict(finding: Finding) -> Text:
    """Return whether a check passed, in colour."""
    return Text("passed", "green") if finding.passed else Text("failed", "bold red")


def measured(finding: Finding) -> str:
    """Return the numbers of a finding in one line."""
    values = (
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in finding.measured.items()
    )
    return ", ".join(values) or NONE


def _judgement(found: Portrait, console: Console) -> None:
    judgement = found.experiment.judgement
    assert judgement is not None
    console.print(Text(f"score {judgement.score:.2f} of 1: {judgement.reason or NONE}"))


def _runs(found: Portrait, console: Console) -> None:
    columns = [
        Column[Run]("stage", lambda run: run.stage, left=True),
        Column[Run]("seed", lambda run: str(run.seed)),
        Column[Run]("loss", _loss),
        Column[Run]("to baseline", lambda run: signed(_to_baseline(found, run), good=-1)),
        Column[Run]("scores", _scores, left=True),
        Column[Run]("audit", _audit, 1, left=True),
        Column[Run]("parameters", lambda run: _of(run, "parameters"), 2),
        Column[Run]("tokens/s", lambda run: _of(run, "tokens_per_second"), 3),
        Column[Run]("seconds", lambda run: _of(run, "seconds"), 4),
    ]
    console.print(table(columns, found.runs, console.width))
    for run in (run for run in found.runs if run.reason):
        console.print(Text(f"{run.stage} seed {run.seed} {run.status}: {run.reason}", "red"))
    probes = [score for run in found.runs if run.measurement for score in run.measurement.scores]
    if told := diagnosis(probes):
        console.print(Text(f"probe: {told}"))
    console.print(marks_line(found.marks))
    console.print(noise_line(found.noise))
    for line in _curves(found):
        console.print(line)


def _loss(run: Run) -> str:
    got = run.measurement
    return with_error(got.loss, got.loss_error) if got else NONE


def _audit(run: Run) -> str:
    audit = run.measurement.audit if run.measurement else None
    return f"moved {audit.largest_change:.1g}" if audit else NONE


def _to_baseline(found: Portrait, run: Run) -> float | None:
    facts = found.facts.get(run.stage)
    if facts is None or facts.reference_id is None or run.measurement is None:
        return None
    reference = facts.losses[facts.reference_id].get(run.seed)
    loss = run.measurement.loss
    return None if loss is None or reference is None else loss - reference


def _scores(run: Run) -> str:
    scores = run.measurement.scores if run.measurement else ()
    return ", ".join(f"{_what(score)} {score.value:.3f}" for score in scores) or NONE


def _what(score: Score) -> str:
    return score.benchmark if score.metric == "accuracy" else f"{score.benchmark} {score.metric}"


def _of(run: Run, field: str) -> str:
    return count(getattr(run.measurement, field)) if run.measurement else NONE


def _curves(found: Portrait) -> Iterator[Text]:
    """Yield the training curve of each run above that of the strongest baseline."""
    references = {(r.stage, r.seed): r for r in found.reference_runs if r.stage in found.facts}
    for run in found.runs:
        if run.measurement is None or not run.measurement.curve:
            continue
        other = references.get((run.stage, run.seed))
        curves = [run.measurement.curve]
        if other and other.measurement and other.experiment_id != run.experiment_id:
            curves.append(other.measurement.curve)
        name = found.name_of(other.experiment_id) if other else None
        labels = [f"{run.stage} {run.seed}", name or "baseline"]
        for label, line, curve in zip(labels, sparklines(curves), curves, strict=False):
            yield Text(f"{label[:18]:<18} {line} {curve[0].loss:.3f} → {curve[-1].loss:.3f}")


def _analysis(found: Portrait, console: Console) -> None:
    analysis = found.experiment.analysis
    assert analysis is not None
    console.print(Text(analysis.summary))
    for word, items in (("keep", analysis.keep), ("drop", analysis.drop)):
        if items:
            console.print(Text(f"{word}: {', '.join(items)}"))


def _program(found: Portrait, console: Console) -> None:
    program = found.experiment.program
    assert program is not None
    console.print(Syntax(program.source, "python", theme="ansi_dark", background_color="default"))
