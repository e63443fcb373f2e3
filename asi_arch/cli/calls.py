"""`asi-arch calls`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from asi_arch.cli.call_table import print_calls, summary
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, LARGEST_ID, CampaignId, Db, Debug, Json
from asi_arch.cli.output import out, print_json
from asi_arch.cli.transcript import print_transcript
from asi_arch.errors import UserError
from asi_arch.records import Campaign

if TYPE_CHECKING:
    from asi_arch.store import Store
    from asi_arch.store.records import CallRecord

Role = Literal["researcher", "engineer", "analyst"]
State = Literal["open", "answered", "failed"]


def calls(
    experiment: Annotated[
        int | None,
        typer.Option(
            "--experiment",
            metavar="ID",
            min=1,
            max=LARGEST_ID,
            help="Only those about this experiment.",
        ),
    ] = None,
    role: Annotated[Role | None, typer.Option("--role", help="Only those of this role.")] = None,
    status: Annotated[
        State | None, typer.Option("--status", help="Only those in this state.")
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Add all faults; with --experiment all prompts and replies."),
    ] = False,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the campaign as a recording that can be replayed."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --out write over a file.")] = False,
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List what language models were asked.

    A line a call, with tokens, money, time and faults, the tries that went wrong before it ended.

    Example: asi-arch calls --experiment 12 --full
    """
    with opened(db, campaign) as (store, latest):
        about = _campaign(store, latest, campaign, experiment)
        if out_file is not None:
            _check_whole(experiment, role, status)
            _record(store, about, out_file, force, json)
            return
        asked = store.calls(about.id, experiment)
    found = [c for c in asked if role in (None, c.role) and status in (None, c.status)]
    if json:
        print_json(_document(about, found, full))
    elif not found:
        out().print(Text(_nothing(about, asked, experiment)))
    elif full and experiment is not None:
        print_transcript(found, out())
    else:
        print_calls(found, full, out())


def _campaign(
    store: "Store", latest: Campaign, named: int | None, experiment: int | None
) -> Campaign:
    """Return the campaign of the experiment, which must be the one that was named."""
    if experiment is None:
        return latest
    found = store.experiment(experiment).campaign_id
    if named not in (None, found):
        raise UserError(
            f"experiment {experiment} is of campaign {found}, not {named}; leave out --campaign"
        )
    return store.campaign(found)


def _check_whole(*filters: object) -> None:
    if any(given is not None for given in filters):
        raise UserError(
            "a recording holds the whole campaign; "
            "leave out --experiment, --role and --status, or --out"
        )


def _record(store: "Store", campaign: Campaign, path: Path, force: bool, json: bool) -> None:
    """Write a recording and say how to play it."""
    from asi_arch.recording import save_recording

    if not store.calls(campaign.id):
        raise UserError(f"{_unasked(campaign)}; there is nothing to record")
    written = save_recording(store, campaign, path, force)
    if json:
        print_json({"campaign": campaign.id, "path": str(path), "calls": written})
        return
    play = f"play it with: asi-arch replay {shlex.quote(str(path))}"
    said = f"wrote {written} calls of campaign {campaign.id} to {path}; {play}"
    out().print(Text(said, "green"), soft_wrap=True)


def _unasked(campaign: Campaign) -> str:
    return f"no language model has been asked in campaign {campaign.id} ({campaign.name})"


def _nothing(campaign: Campaign, asked: "Sequence[CallRecord]", experiment: int | None) -> str:
    if asked:
        return f"none of {len(asked)} calls is like that"
    return _unasked(campaign) if experiment is None else f"no call is about experiment {experiment}"


def _document(campaign: Campaign, found: "Sequence[CallRecord]", full: bool) -> dict[str, Any]:
    left_out = set() if full else {"messages", "reply"}
    return {
        "campaign": campaign.id,
        "calls": [call.model_dump(exclude=left_out) for call in found],
        "summary": summary(found)._asdict(),
    }
