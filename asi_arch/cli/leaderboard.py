"""`asi-arch leaderboard`."""

from typing import Annotated

import typer

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json, ScoredStage
from asi_arch.cli.output import out, print_json
from asi_arch.cli.results import print_results, results_document
from asi_arch.cli.stage_table import print_stage, stage_document


def leaderboard(
    stage: Annotated[
        ScoredStage | None,
        typer.Option(help="Rank by the loss of one stage, with intervals; not given: by fitness."),
    ] = None,
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Rank the experiments of a campaign by fitness.

    With the marks that trivial models set, the noise floor, and the conclusion.

    Example: asi-arch leaderboard --campaign 2 --stage confirm
    """
    with opened(db, campaign) as (store, record):
        if stage is not None and json:
            print_json(stage_document(store, record, stage))
        elif stage is not None:
            print_stage(store, record, stage, out())
        elif json:
            print_json(results_document(store, record))
        else:
            print_results(store, record, out())
