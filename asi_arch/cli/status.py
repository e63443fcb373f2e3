"""`asi-arch status`."""

import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from asi_arch.cli.board import Line, describe_best, steps_of
from asi_arch.cli.facts import best_of, mark, reference_marks
from asi_arch.cli.opened import opened, resume_command, seconds_held, state_of
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import duration, out, print_json
from asi_arch.cli.results import conclusion_text, marks_line
from asi_arch.cli.watchers import lines_table
from asi_arch.configure import stored_config
from asi_arch.errors import UserError
from asi_arch.jobs.paths import JobPaths
from asi_arch.records import Campaign, Experiment

if TYPE_CHECKING:
    from asi_arch.store import Store

_COLOURS = {"running": "green", "complete": "cyan", "interrupted": "red", "stopped": "yellow"}
_SECONDS = 2.0


@dataclass(frozen=True)
class Status:
    """Where a campaign stands."""

    campaign: Campaign
    state: str
    seconds: float
    counts: dict[str, int]
    budget: int
    running: list[Line]
    best: Experiment | None
    references: dict[str, float]
    resume: str


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until the end.")] = False,
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show how far a campaign is.

    Running experiments, best so far, time used; whether anybody still runs it.

    Example: asi-arch status --watch
    """
    if watch and json:
        raise UserError("--watch redraws the screen and --json prints one document; choose one")
    with opened(db, campaign) as (store, record):
        if watch:
            _watch(store, record.id, db)
        elif json:
            print_json(_document(read_status(store, record.id, db)))
        else:
            out().print(_render(read_status(store, record.id, db), out().width))


def _watch(store: "Store", campaign_id: int, db: str) -> None:
    console = out()
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                now = read_status(store, campaign_id, db)
                live.update(_render(now, console.width), refresh=True)
                if now.state != "running":
                    return
                time.sleep(_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def read_status(store: "Store", campaign_id: int, db: str) -> Status:
    """Return where a campaign stands now, the jobs under way read from their folders."""
    campaign = store.campaign(campaign_id)
    experiments = store.experiments(campaign_id)
    state = state_of(campaign)
    candidates = [e for e in experiments if e.kind == "candidate"]
    latest = store.campaign().id == campaign_id
    return Status(
        campaign=campaign,
        state=state,
        seconds=max(campaign.seconds, seconds_held(campaign) if state == "running" else 0.0),
        counts=dict(Counter(e.status.value for e in candidates)),
        budget=stored_config(campaign).budget.experiments,
        running=_running(store, campaign, experiments) if state == "running" else [],
        best=best_of(experiments),
        references=reference_marks(store, campaign_id),
        resume=resume_command(db, None if latest else campaign_id),
    )


def _running(store: "Store", campaign: Campaign, experiments: list[Experiment]) -> list[Line]:
    """Return a line for each experiment that has a job or waits for its next step."""
    jobs = _open_jobs(Path(campaign.folder) / "jobs")
    lines = [
        _line(store, campaign, e, jobs[e.id]) if e.id in jobs else Line(e, _waits_for(e))
        for e in experiments
        if e.id in jobs or not e.status.is_finished
    ]
    return sorted(lines, key=lambda line: line.experiment.id)


def _open_jobs(folder: Path) -> dict[int, JobPaths]:
    """Return the latest job without a result of each experiment, whose id begins its name."""
    paths = sorted(folder.glob("[0-9]*-*/job.json"), key=_changed)
    jobs = [JobPaths(path.parent) for path in paths]
    return {int(job.folder.name.partition("-")[0]): job for job in jobs if not job.result.exists()}


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _line(store: "Store", campaign: Campaign, experiment: Experiment, job: JobPaths) -> Line:
    from asi_arch.standings import reference_curve

    _, what, number, *examination = job.folder.name.split("-")
    points = job.read_metrics()
    if what == "verify":
        return Line(experiment, what)
    phase = f"{what} seed {number}" + (", examined" if examination else "")
    if not points:
        return Line(experiment, phase)
    last = points[-1]
    reference = reference_curve(store, campaign.id, what, int(number)).get(last.step)
    total = steps_of(stored_config(campaign), what)
    return Line(experiment, phase, last.step, total, last.loss, reference)


def _waits_for(experiment: Experiment) -> str:
    """Return what an experiment without a job is about to do."""
    following = {"sampled": "propose", "proposed": "implement", "implemented": "verify"}
    return following.get(experiment.status.value, "waits")


def _render(status: Status, width: int) -> Group:
    parts: list[Any] = [_headline(status), Text(_counts(status))]
    if status.running:
        parts.append(lines_table(status.running, width))
    parts.append(Text(f"best so far: {describe_best(status.best)}"))
    parts.append(marks_line(status.references))
    if status.campaign.conclusion is not None:
        parts.append(conclusion_text(status.campaign.conclusion))
    elif status.state in ("interrupted", "stopped"):
        parts.append(Text(f"go on with: {status.resume}", "yellow"))
    return Group(*parts)


def _headline(status: Status) -> Text:
    campaign = status.campaign
    reason = f" ({campaign.reason})" if campaign.reason else ""
    text = Text(f"campaign {campaign.id} ({campaign.name}), seed {campaign.seed}: ")
    text.append(status.state + reason, f"bold {_COLOURS[status.state]}")
    return text.append(f", begun {_moment(campaign.created)}, {duration(status.seconds)} used")


def _moment(created: str) -> str:
    if not created:
        return "–"
    return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M")


def _counts(status: Status) -> str:
    parts = ", ".join(f"{number} {name}" for name, number in sorted(status.counts.items()))
    begun = sum(status.counts.values())
    return f"{begun} of {status.budget} experiments begun" + (f": {parts}" if parts else "")


def _document(status: Status) -> dict[str, Any]:
    best = status.best
    return {
        "campaign": status.campaign.model_dump(exclude={"config"}),
        "state": status.state,
        "counts": status.counts,
        "budget": status.budget,
        "running": [_running_document(line) for line in status.running],
        "best": best
        and {"id": best.id, "name": best.name, "fitness": best.fitness, "mark": mark(best.fitness)},
        "references": status.references,
        "resume": status.resume,
    }


def _running_document(line: Line) -> dict[str, Any]:
    experiment = line.experiment
    fields = {name: value for name, value in asdict(line).items() if name != "experiment"}
    return {"id": experiment.id, "kind": experiment.kind, "name": experiment.name, **fields}
