"""`asi-arch resume`."""

from asi_arch.cli.opened import opened
from asi_arch.cli.options import (
    DEFAULT_DB,
    CampaignId,
    Db,
    Debug,
    Json,
    Sandbox,
    Settings,
    with_sandbox,
)
from asi_arch.cli.output import err
from asi_arch.cli.sitting import print_end, sit


def resume(
    campaign: CampaignId = None,
    set_: Settings = None,
    sandbox: Sandbox = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Go on with a campaign that was stopped or killed.

    Only budget.*, jobs.* and sandbox may be set: nothing that decides what is measured. A complete
    campaign goes on when budget.experiments is raised.

    Example: asi-arch resume --set budget.minutes=60
    """
    from asi_arch.launch import is_done, only_process, reopen_campaign

    settings = with_sandbox(set_, sandbox)
    with opened(db, campaign) as (store, record):
        if is_done(record, settings):
            err().print(f"campaign {record.id} is complete; nothing is left to do")
            print_end(store, record.id, json)
            return
        with only_process(record):
            sit(store, reopen_campaign(store, record.id, settings), db, json)
