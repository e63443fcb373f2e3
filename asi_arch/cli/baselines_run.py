"""`asi-arch baselines run`."""

from typing import TYPE_CHECKING, Annotated

import typer

from asi_arch.baselines import baseline_program
from asi_arch.cli.baselines import print_baselines
from asi_arch.cli.opened import files_beside, opened
from asi_arch.cli.options import (
    DEFAULT_DB,
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
    with_sandbox,
)
from asi_arch.cli.output import err
from asi_arch.cli.sitting import sit
from asi_arch.config import Config
from asi_arch.configure import load_config, parse_config
from asi_arch.errors import UserError
from asi_arch.records import Campaign

if TYPE_CHECKING:
    from asi_arch.store import Store

_STAGES = ("explore", "explore,confirm")


def run_baselines(
    names: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Which, with commas between; not given: the preset's."),
    ] = "",
    stage: Annotated[
        str, typer.Option(metavar="STAGES", help="explore, or explore,confirm.")
    ] = "explore",
    preset: Preset = "demo",
    config: ConfigFile = None,
    set_: Settings = None,
    data: DataFolder = None,
    gpus: Gpus = None,
    sandbox: Sandbox = None,
    campaign: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Add them to this campaign, by its own settings."),
    ] = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Verify and train baselines, without any candidate.

    A campaign of its own with the seeds of baselines, or an addition to one that has explored,
    whose experiments keep their fitness. A killed one goes on by the same command, or asi-arch
    resume.

    Example: asi-arch baselines run --stage explore,confirm --names deltanet,gated_deltanet
    """
    wanted = [name for name in (part.strip() for part in names.split(",")) if name]
    if campaign is not None:
        _add(db, campaign, wanted, json)
        return
    settings = with_sandbox(with_data(set_, data), sandbox)
    settings += [] if gpus is None else [f"jobs.gpus={gpus}"]
    _run(db, _only_baselines(load_config(preset, config, settings), wanted, stage), json)


def _only_baselines(config: Config, names: list[str], stage: str) -> Config:
    """Return a configuration that tries no candidate and confirms all baselines or none."""
    if stage not in _STAGES:
        raise UserError(f"--stage {stage} is not known; choose {' or '.join(_STAGES)}")
    chosen = names or list(config.baselines)
    for name in chosen:
        baseline_program(name)
    values = config.model_dump(mode="json")
    values |= {"baselines": chosen, "name": "baselines"}
    values["search"] |= {"roots": chosen}
    values["budget"] |= {"experiments": 0}
    values["confirm"] |= {"top": 0, "baselines": len(chosen) if stage != "explore" else 0}
    return parse_config(values)


def _run(db: str, config: Config, json: bool) -> None:
    from asi_arch.launch import new_campaign, only_process
    from asi_arch.store import Store

    with Store.open(db) as store:
        record = _begun(store, config) or new_campaign(store, config, files_beside(db))
        if record.status == "complete":
            err().print(f"campaign {record.id} has run them; nothing is left to do")
            print_baselines(store, record.id, json)
            return
        with only_process(record):
            sit(store, record, db, json, print_baselines)


def _begun(store: "Store", config: Config) -> Campaign | None:
    """Return the latest campaign that measures the same."""
    wanted = _measured(config.settled().model_dump(mode="json"))
    same = [one for one in store.campaigns() if _measured(one.config) == wanted]
    return same[-1] if same else None


def _measured(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if key not in ("jobs", "sandbox", "search")}


def _add(db: str, campaign: int, names: list[str], json: bool) -> None:
    from asi_arch.further import add_baselines
    from asi_arch.launch import only_process

    if not names:
        raise UserError(f"--names says which baselines to add to campaign {campaign}; give some")
    with opened(db, campaign) as (store, record), only_process(record):
        sit(store, add_baselines(store, record, names), db, json, print_baselines)
