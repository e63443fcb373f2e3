"""`asi-arch leaderboard`."""

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import out, print_json
from asi_arch.cli.results import print_results, results_document


def leaderboard(
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Rank the experiments of a campaign by fitness.

    With the marks that trivial models set, the noise floor, and the conclusion.

    Example: asi-arch leaderboard --campaign 2
    """
    with opened(db, campaign) as (store, record):
        if json:
            print_json(results_document(store, record))
        else:
            print_results(store, record, out())
