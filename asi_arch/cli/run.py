"""`asi-arch run`."""

import json as json_format
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from asi_arch.cli.opened import files_beside
from asi_arch.cli.options import (
    DEFAULT_DB,
    Agents,
    ConfigFile,
    DataFolder,
    Db,
    Debug,
    Gpus,
    Json,
    Preset,
    Sandbox,
    Settings,
    with_data,
)
from asi_arch.cli.sitting import sit
from asi_arch.config import Config
from asi_arch.configure import load_config
from asi_arch.errors import UserError

_ROLES = ("researcher", "engineer", "analyst")
TeamName = Literal["rules", "random", "llm"]


def run(
    preset: Preset = "demo",
    config: ConfigFile = None,
    set_: Settings = None,
    data: DataFolder = None,
    name: Annotated[str | None, typer.Option(help="What to call the campaign.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search.")] = None,
    experiments: Annotated[int | None, typer.Option(help="Budget: candidates to try.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Budget: wall time.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Budget: language model tokens.")] = None,
    money: Annotated[float | None, typer.Option(help="Budget: US dollars.")] = None,
    llm_jobs: Annotated[int | None, typer.Option(help="Language model calls at once.")] = None,
    verify_jobs: Annotated[int | None, typer.Option(help="Verifications at once.")] = None,
    train_jobs: Annotated[
        int | None, typer.Option(help="Trainings at once; as many as GPUs if those are given.")
    ] = None,
    gpus: Gpus = None,
    team: Annotated[TeamName | None, typer.Option(help="Who proposes and writes.")] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Language model: a name or package.module:Class; team llm."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Server of the language model; team llm.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model to ask for; team llm.")
    ] = None,
    input_price: Annotated[
        float | None, typer.Option(help="US dollars per million tokens asked; team llm.")
    ] = None,
    output_price: Annotated[
        float | None, typer.Option(help="US dollars per million tokens answered; team llm.")
    ] = None,
    agents: Agents = "",
    sandbox: Sandbox = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Start a campaign and watch it to its end.

    Ctrl-C stops it so that it can go on. Progress goes to standard error, results to standard
    output.

    Example: asi-arch run --preset demo --experiments 20 --train-jobs 2
    """
    given: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "team": _team(team, backend or base_url or model, set_ or []),
        "budget.experiments": experiments,
        "budget.minutes": minutes,
        "budget.tokens": tokens,
        "budget.money": money,
        "jobs.llm": llm_jobs,
        "jobs.verify": verify_jobs,
        "jobs.train": (gpus or None) if train_jobs is None else train_jobs,
        "jobs.gpus": gpus,
        "agents": agents or None,
        "sandbox": sandbox,
    }
    for role in _ROLES:
        given[f"roles.{role}.backend"] = backend
        given[f"roles.{role}.base_url"] = base_url
        given[f"roles.{role}.model"] = model
        given[f"roles.{role}.input_price"] = input_price
        given[f"roles.{role}.output_price"] = output_price
    _start(db, load_config(preset, config, [*with_data(set_, data), *_settings(given)]), json)


def _start(db: str, config: Config, json: bool) -> None:
    from asi_arch.launch import new_campaign, only_process
    from asi_arch.store import Store

    with Store.open(db) as store:
        record = new_campaign(store, config, files_beside(db))
        with only_process(record):
            sit(store, record, db, json)


def _team(team: str | None, language_model: str | None, settings: Sequence[str]) -> str | None:
    """Return the team; naming a language model, also for one role, means team llm.

    Raises:
        UserError: another team is named beside a language model.
    """
    named = language_model or next((one for one in settings if one.startswith("roles.")), None)
    if named is None:
        return team
    if team not in (None, "llm"):
        raise UserError(
            f"--team {team} asks no language model; leave out --backend, --base-url, --model and "
            "--set roles, or use --team llm"
        )
    return "llm"


def _settings(given: Mapping[str, Any]) -> list[str]:
    """Return `key=value` for what was given, strings as TOML strings."""
    return [
        f"{key}={json_format.dumps(value, ensure_ascii=False)}"
        for key, value in given.items()
        if value is not None
    ]
