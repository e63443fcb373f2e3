"""Options that several commands share."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from asi_arch.configure import preset_names
from asi_arch.records import SandboxMode

DEFAULT_DB = "asi-arch.db"
STAGES = ("probe", "explore", "confirm", "final")
SCORED = STAGES[1:]
"""The stages that are scored by held-out loss; `probe` is a gate."""
ScoredStage = Literal["explore", "confirm", "final"]
_DEBUG = "asi_arch.debug"
LARGEST_ID = 2**31 - 1


def complete_presets(incomplete: str) -> list[str]:
    """Return the presets that begin with what was typed."""
    return [name for name in preset_names() if name.startswith(incomplete)]


def complete_stages(incomplete: str) -> list[str]:
    """Return the stages that begin with what was typed."""
    return [name for name in STAGES if name.startswith(incomplete)]


def complete_campaigns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the campaigns of the database that begin with what was typed."""
    from asi_arch.errors import UserError
    from asi_arch.store import Store

    try:
        with Store.open(ctx.params.get("db") or DEFAULT_DB, create=False) as store:
            ids = [str(campaign.id) for campaign in store.campaigns()]
    except UserError:
        return []
    return [id for id in ids if id.startswith(incomplete)]


def wants_trace(ctx: typer.Context) -> bool:
    """Return whether the user asked for tracebacks."""
    return bool(ctx.meta.get(_DEBUG))


def _remember_debug(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[_DEBUG] = value
    return value


Db = Annotated[
    str,
    typer.Option(
        "--db", envvar="ASI_ARCH_DB", help="Database: a SQLite file or a postgresql:// URL."
    ),
]
CampaignId = Annotated[
    int | None,
    typer.Option(
        "--campaign",
        metavar="N",
        min=1,
        max=LARGEST_ID,
        help="Which campaign; the latest if not given.",
        autocompletion=complete_campaigns,
    ),
]
ExperimentId = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID, help="Id of an experiment.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        envvar="ASI_ARCH_DEBUG",
        help="Show the traceback of an error.",
        callback=_remember_debug,
        expose_value=False,
    ),
]
Preset = Annotated[
    str,
    typer.Option("--preset", help="Shipped configuration.", autocompletion=complete_presets),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file laid over the preset."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="One setting, as in explore.tokens=2e6; repeatable."
    ),
]
Agents = Annotated[
    str,
    typer.Option(
        "--agents", metavar="DIR", help="Folder with role cards of your own, role/task.md."
    ),
]
Gpus = Annotated[
    int | None,
    typer.Option(
        "--gpus", metavar="N", min=0, help="GPUs to use, one a job; all if not given; 0: the CPU."
    ),
]
Sandbox = Annotated[
    SandboxMode | None,
    typer.Option(
        "--sandbox", help="'require': run no job where this machine leaves something open to it."
    ),
]


DataFolder = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="What to train on: made by asi-arch data prepare."),
]


def with_sandbox(settings: list[str] | None, sandbox: SandboxMode | None) -> list[str]:
    """Return the settings, and that of the sandbox if it was given."""
    return [*(settings or []), *([f"sandbox={sandbox}"] if sandbox else [])]


def with_data(settings: list[str] | None, folder: Path | None) -> list[str]:
    """Return the settings, and those of the data if a prepared folder was given."""
    if folder is None:
        return settings or []
    path = json.dumps(str(folder), ensure_ascii=False)
    return [*(settings or []), 'data.source="prepared"', f"data.folder={path}"]
