"""`asi-arch resume`."""

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json, Settings
from asi_arch.cli.output import err
from asi_arch.cli.sitting import print_end, sit


def resume(
    campaign: CampaignId = None,
    set_: Settings = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Go on with a campaign that was stopped or killed.

    Only budget.* and jobs.* may be set: nothing that decides what is measured. A complete
    campaign goes on when budget.experiments is raised.

    Example: asi-arch resume --set budget.minutes=60
    """
    from asi_arch.launch import is_done, only_process, reopen_campaign

    with opened(db, campaign) as (store, record):
        if is_done(record, set_ or ()):
            err().print(f"campaign {record.id} is complete; nothing is left to do")
            print_end(store, record.id, json)
            return
        with only_process(record):
            sit(store, reopen_campaign(store, record.id, set_ or ()), db, json)
