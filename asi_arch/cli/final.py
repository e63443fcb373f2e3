"""`asi-arch final`."""

from typing import Annotated

import typer

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, LARGEST_ID, Db, Debug, Json
from asi_arch.cli.sitting import sit
from asi_arch.errors import UserError


def final(
    ids: Annotated[
        list[int],
        typer.Argument(metavar="ID...", min=1, max=LARGEST_ID, help="Ids of experiments."),
    ],
    tokens: Annotated[
        float | None,
        typer.Option(min=1, metavar="N", help="Tokens a training, as in 15e9; default: as set."),
    ] = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the named experiments, and the strongest baselines, long.

    At the stage `final`, with seeds of its own. A killed one goes on by the same command, or
    asi-arch resume.

    Example: asi-arch final 12 57 --tokens 15e9
    """
    from asi_arch.further import name_finalists
    from asi_arch.launch import only_process

    if tokens is not None and tokens != int(tokens):
        raise UserError(f"--tokens {tokens} is no whole number; give one, as in 15e9")
    with opened(db) as (store, _):
        named = [store.experiment(id) for id in dict.fromkeys(ids)]
        campaigns = sorted({experiment.campaign_id for experiment in named})
        if len(campaigns) > 1:
            raise UserError(
                f"{', '.join(map(str, ids))} are of the campaigns "
                f"{', '.join(map(str, campaigns))}; name experiments of one"
            )
        record = store.campaign(campaigns[0])
        with only_process(record):
            wanted = None if tokens is None else int(tokens)
            sit(store, name_finalists(store, record, named, wanted), db, json)
