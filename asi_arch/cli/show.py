"""`asi-arch show`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from asi_arch.cli.facts import noise_floors, reference_marks
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, SCORED, Db, Debug, ExperimentId, Json
from asi_arch.cli.output import out, print_json
from asi_arch.cli.portrait import Portrait, print_portrait
from asi_arch.errors import UserError
from asi_arch.records import Experiment, Program

if TYPE_CHECKING:
    from asi_arch.store import Store


def show(
    id: ExperimentId,
    program_only: Annotated[
        bool, typer.Option("--program-only", help="Print nothing but the program.")
    ] = False,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show everything about one experiment.

    Idea and origins, checks, runs and curves, analysis, program.

    Example: asi-arch show 12
    """
    with opened(db) as (store, _):
        experiment = store.experiment(id)
        if program_only:
            _print_program(experiment, json)
        elif json:
            print_json(_document(portrait(store, experiment)))
        else:
            print_portrait(portrait(store, experiment), out())


def _print_program(experiment: Experiment, json: bool) -> None:
    source = program_of(experiment).source
    if json:
        print_json({"id": experiment.id, "program": source})
    else:
        out().out(source, highlight=False, end="")


def program_of(experiment: Experiment) -> Program:
    """Return the program of an experiment.

    Raises:
        UserError: it has none.
    """
    if experiment.program is None:
        raise UserError(
            f"experiment {experiment.id} is {experiment.status.value} and has no program"
        )
    return experiment.program


def portrait(store: "Store", experiment: Experiment) -> Portrait:
    """Collect all that is known of an experiment."""
    campaign = store.campaign(experiment.campaign_id)
    others = {e.id: e for e in store.experiments(campaign.id)}
    from asi_arch.entrances import notes
    from asi_arch.standings import standings

    came = notes(store, campaign.id)
    facts = {stage: standings(store, campaign.id, stage) for stage in SCORED}
    references = {fact.reference_id for fact in facts.values() if fact.reference_id is not None}
    return Portrait(
        experiment=experiment,
        others=others,
        titles={entry.id: entry.title for entry in store.knowledge()},
        findings=store.findings(experiment.id),
        runs=store.runs(campaign.id, experiment_id=experiment.id),
        reference_runs=[
            run for id in references for run in store.runs(campaign.id, experiment_id=id)
        ],
        facts=facts,
        marks=reference_marks(store, campaign.id),
        noise=noise_floors(store, campaign),
        gates={stage: why[experiment.id] for stage, why in came.items() if experiment.id in why},
    )


def _document(found: Portrait) -> dict[str, Any]:
    experiment = found.experiment
    stages = found.facts.items()
    return {
        "experiment": experiment,
        "parent": found.name_of(experiment.parent_id),
        "citations": {id: found.cited(id) for id in found.citations()},
        "findings": [{"round": round, **f.model_dump()} for round, f in found.findings],
        "runs": found.runs,
        "gain": {stage: facts.gain(experiment.id) for stage, facts in stages},
        "reference": {stage: found.name_of(facts.reference_id) for stage, facts in stages},
        "references": found.marks,
        "noise": found.noise,
        "gates": found.gates,
    }
