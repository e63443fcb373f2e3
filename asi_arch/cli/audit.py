"""`asi-arch audit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.alone import broken_off, temporary_runner
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, SCORED, Db, Debug, ExperimentId, Json
from asi_arch.cli.output import Column, number, out, print_json, table
from asi_arch.cli.show import program_of
from asi_arch.cli.signals import run_until_signal
from asi_arch.cli.trained import trained_runs, weights_of
from asi_arch.config import Config
from asi_arch.configure import stored_config
from asi_arch.records import Audit, Campaign, Run

if TYPE_CHECKING:
    pass


class Audited(NamedTuple):
    """A run and what its audit found."""

    run: Run
    audit: Audit


def audit(
    id: ExperimentId,
    positions: Annotated[
        int | None,
        typer.Option(min=1, help="Prefixes to ask about, one a window; default: the stage's."),
    ] = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Audit the trained weights of an experiment on real data.

    Fresh processes get the weights and token ids without labels; the losses are computed outside
    and compared with what the training reported, and with what the model says about texts that
    end where it may look. Nothing is written to the database.

    Exit code 0: all runs are honest; 1: some are not; 2: they could not be audited.

    Example: asi-arch audit 12
    """
    with opened(db) as (store, _):
        experiment = store.experiment(id)
        campaign = store.campaign(experiment.campaign_id)
        runs = trained_runs(store, experiment)
        config = _with_positions(stored_config(campaign), positions)
    found = run_until_signal(_audit(campaign, config, program_of(experiment).source, runs))
    honest = not any(item.audit.flaw for item in found)
    if json:
        print_json({"experiment": id, "honest": honest, "audits": [_row(item) for item in found]})
    else:
        _print(found, out())
    if not honest:
        raise typer.Exit(1)


def _with_positions(config: Config, positions: int | None) -> Config:
    if positions is None:
        return config
    changed = {"audit_positions": positions, "heldout_windows": positions}
    stages = {name: getattr(config, name).model_copy(update=changed) for name in SCORED}
    return config.model_copy(update=stages)


async def _audit(
    campaign: Campaign, config: Config, program: str, runs: list[Run]
) -> list[Audited]:
    async with temporary_runner(config.sandbox, config.jobs.gpus) as runner:
        from asi_arch.jobs.spec import data_folder
        from asi_arch.measure import Examiner

        data = data_folder(config, Path(campaign.folder) / "jobs" / "data")
        examiner = Examiner(runner, config, data)
        return [Audited(run, await _examine(examiner, campaign, program, run)) for run in runs]


async def _examine(examiner: Any, campaign: Campaign, program: str, run: Run) -> Audit:
    from asi_arch.jobs.spec import Trained, training_name
    from asi_arch.measure import JobFailed

    assert run.measurement is not None and run.measurement.audit is not None
    name = training_name(run.experiment_id, run.stage, run.seed)
    weights = weights_of(campaign, run)
    reported = run.measurement.audit.reported
    try:
        scored = await examiner.examine(
            name, Trained(program, run.stage, run.seed, weights, reported)
        )
    except JobFailed as failure:
        raise broken_off(failure.error, failure.job.limits) from failure
    assert scored.audit is not None
    return Audit.model_validate(scored.audit)


def _row(item: Audited) -> dict[str, Any]:
    return {"stage": item.run.stage, "seed": item.run.seed, **item.audit.model_dump()}


def _print(found: list[Audited], console: Console) -> None:
    columns = [
        Column[Audited]("stage", lambda item: item.run.stage, left=True),
        Column[Audited]("seed", lambda item: str(item.run.seed)),
        Column[Audited]("verdict", _verdict, left=True),
        Column[Audited]("reported", lambda item: number(item.audit.reported)),
        Column[Audited]("recomputed", lambda item: number(item.audit.recomputed)),
        Column[Audited]("positions", lambda item: str(item.audit.positions), 3),
        Column[Audited]("moved", lambda item: f"{item.audit.largest_change:.1g}", 1),
        Column[Audited]("loss by", lambda item: number(item.audit.prefix_gain, sign=True), 2),
    ]
    console.print(table(columns, found, console.width))
    for item in (item for item in found if item.audit.flaw):
        console.print(Text(f"{item.run.stage} seed {item.run.seed}: {item.audit.flaw}", "red"))


def _verdict(item: Audited) -> Text:
    return Text("dishonest", "bold red") if item.audit.flaw else Text("honest", "green")
