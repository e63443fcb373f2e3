"""`asi-arch replay`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from asi_arch.cli.opened import files_beside
from asi_arch.cli.options import Debug, Json
from asi_arch.cli.output import err
from asi_arch.cli.sitting import sit
from asi_arch.config import Config
from asi_arch.configure import parse_config
from asi_arch.errors import UserError
from asi_arch.records import Campaign

if TYPE_CHECKING:
    from asi_arch.recording import Recording
    from asi_arch.store import Store

_ROLES = ("researcher", "engineer", "analyst")


def replay(
    recording: Annotated[
        Path, typer.Argument(metavar="FILE", help="What asi-arch calls --out has written.")
    ],
    db: Annotated[
        str | None,
        typer.Option("--db", help="A new SQLite file; FILE.db beside the recording if not given."),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a recorded campaign again, its answers in place of a model: no call is made.

    Programs are verified and trained anew, with the same seeds. asi-arch resume goes on with a
    replay that was stopped.

    Example: asi-arch replay campaign.jsonl
    """
    from asi_arch.launch import new_campaign, only_process
    from asi_arch.recording import load_recording
    from asi_arch.store import Store

    recorded = load_recording(recording)
    config = _config(recorded, recording)
    database = str(recording.with_suffix(".db")) if db is None else db
    _require_new(database)
    with Store.open(database) as store:
        store.save_knowledge(recorded.entries)
        campaign = new_campaign(store, config, files_beside(database))
        _begin_with_the_same_ids(store, campaign, recorded)
        with only_process(campaign):
            sit(store, campaign, database, json)
        _compare(store, campaign, recorded)


def _config(recorded: "Recording", file: Path) -> Config:
    """Return the recorded configuration with the recording in place of every model.

    Raises:
        UserError: no model was asked, or another version recorded it.
    """
    values = dict(recorded.header.config)
    if values.get("team") != "llm":
        raise UserError(f"{file} is a campaign of team {values.get('team')}: nothing was asked")
    roles = {role: dict(values.get("roles", {}).get(role, {})) for role in _ROLES}
    for settings in roles.values():
        if settings.get("backend") != "rules":
            settings |= {"backend": "replay", "base_url": str(file.resolve())}
    return parse_config({**values, "roles": roles})


def _require_new(database: str) -> None:
    """Refuse a database that holds anything: experiments must get the ids they had."""
    from asi_arch.store.database import parse_url, sqlite_path

    path = sqlite_path(parse_url(database))
    if path is None or path.exists():
        raise UserError(
            f"a replay needs a database of its own, a SQLite file that is not there yet; "
            f"{database} is none: name another one with --db"
        )


def _begin_with_the_same_ids(store: "Store", campaign: Campaign, recorded: "Recording") -> None:
    """Open the baselines under their recorded ids; those of the candidates follow on."""
    names = campaign.config["baselines"]
    for experiment in recorded.header.experiments:
        if experiment.kind == "baseline":
            name = names[experiment.number - 1]
            store.start_experiment(
                campaign.id, experiment.number, "baseline", name=name, id=experiment.id
            )


def _compare(store: "Store", campaign: Campaign, recorded: "Recording") -> None:
    """Say how many questions were not the recorded ones."""
    known = {call.key for call in recorded.calls}
    asked = store.calls(campaign.id)
    others = sum(call.key not in known for call in asked)
    words = f"replayed {len(asked)} calls; the prompts of {others} differ from the recorded ones"
    err().print(Text(words, "green" if others == 0 else "yellow"))
