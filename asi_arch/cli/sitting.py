"""Run a campaign in this process, show it, and print what came out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from asi_arch.cli.board import Board
from asi_arch.cli.opened import resume_command, shown_db
from asi_arch.cli.output import err, out, print_json
from asi_arch.cli.results import print_results, results_document
from asi_arch.cli.signals import run_until_signal
from asi_arch.cli.watchers import make_watcher
from asi_arch.config import Config
from asi_arch.configure import stored_config
from asi_arch.records import Campaign
from asi_arch.tracking import tracked

if TYPE_CHECKING:
    from asi_arch.store import Store

    Show = Callable[[Store, int, bool], None]


def sit(store: "Store", record: Campaign, db: str, json: bool, show: "Show | None" = None) -> None:
    """Run a campaign to its end or until a signal, whose lock this process holds; then show it.

    Raises:
        typer.Exit: 130 when a signal stopped it.
        UserError: the data cannot be read.
        AsiArchError: a baseline cannot be run.
    """
    from asi_arch.further import finalists
    from asi_arch.launch import make_campaign

    config = stored_config(record)
    err().print(Text(_headline(record, config, db)), soft_wrap=True)
    named = len(finalists(store, record.id))
    board = Board(record, config, store.experiments(record.id), store.runs(record.id), named)
    try:
        with make_watcher(board) as view, tracked(view, config.tracking, record) as watcher:
            run_until_signal(make_campaign(store, record, watcher).run())
    except KeyboardInterrupt:
        latest = store.campaign().id == record.id
        command = resume_command(db, None if latest else record.id)
        err().print(Text(f"stopped; go on with: {command}", "yellow"), soft_wrap=True)
        raise typer.Exit(130) from None
    (show or print_end)(store, record.id, json)


def print_end(store: "Store", campaign_id: int, json: bool) -> None:
    """Print the results of a campaign that has come to rest."""
    record = store.campaign(campaign_id)
    if json:
        print_json(results_document(store, record))
    else:
        print_results(store, record, out())


def _headline(record: Campaign, config: Config, db: str) -> str:
    budget, jobs = config.budget, config.jobs
    limits = [f"{budget.experiments} experiments"]
    limits += [f"{budget.minutes:g} minutes"] if budget.minutes else []
    limits += [f"{budget.tokens} tokens"] if budget.tokens else []
    limits += [f"{budget.money:g} US dollars"] if budget.money else []
    return (
        f"database {shown_db(db)} · campaign {record.id} ({record.name}) · seed {record.seed} · "
        f"budget {', '.join(limits)} · at once {jobs.llm} llm, {jobs.verify} verify, "
        f"{jobs.train} train · jobs run on this machine in {record.folder}/jobs"
    )
