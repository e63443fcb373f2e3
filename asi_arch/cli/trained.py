"""Find the weights of an experiment that was trained."""

from pathlib import Path
from typing import TYPE_CHECKING

from asi_arch.errors import UserError
from asi_arch.records import Campaign, Experiment, Run

if TYPE_CHECKING:
    from asi_arch.store import Store


def trained_runs(store: "Store", experiment: Experiment) -> list[Run]:
    """Return the runs on text that gave weights and an audit, by stage and seed.

    Raises:
        UserError: there is none.
    """
    runs = store.runs(experiment.campaign_id, experiment_id=experiment.id)
    found = [run for run in runs if run.measurement and run.measurement.audit]
    if not found:
        raise UserError(
            f"experiment {experiment.id} is {experiment.status.value} and has no trained weights; "
            "asi-arch leaderboard lists those that have"
        )
    return found


def choose_run(runs: list[Run], stage: str | None, seed: int | None) -> Run:
    """Return the run of a stage and seed; not given, the first seed of the largest stage there is.

    Raises:
        UserError: there is no such run.
    """
    wanted = [
        run
        for run in runs
        if run.status == "complete"
        and (stage is None or run.stage == stage)
        and (seed is None or run.seed == seed)
    ]
    if not wanted:
        there = ", ".join(f"{run.stage} seed {run.seed} ({run.status})" for run in runs)
        asked = f"{stage or 'any stage'} with {'any seed' if seed is None else f'seed {seed}'}"
        raise UserError(f"there is no finished run at {asked}; there are: {there}")
    return max(wanted, key=lambda run: (*_size(run), -run.seed))


def weights_of(campaign: Campaign, run: Run) -> Path:
    """Return the file of a run's weights.

    Raises:
        UserError: it is gone.
    """
    from asi_arch.jobs.paths import JobPaths
    from asi_arch.jobs.spec import training_name

    name = training_name(run.experiment_id, run.stage, run.seed)
    weights = JobPaths(Path(campaign.folder) / "jobs" / name).weights
    if not weights.is_file():
        raise UserError(f"the weights of {run.stage} seed {run.seed} are gone: no {weights}")
    return weights


def _size(run: Run) -> tuple[int, int]:
    """Return parameters and tokens: `final` has as many parameters as `confirm`."""
    return (run.measurement.parameters, run.measurement.tokens) if run.measurement else (0, 0)
