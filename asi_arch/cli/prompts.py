"""`asi-arch prompts`: the role cards, and what was or would be sent."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, LARGEST_ID, Agents, Db, Debug, Json
from asi_arch.cli.output import Column, out, print_json, table
from asi_arch.errors import UserError

if TYPE_CHECKING:
    from asi_arch.records import Message
    from asi_arch.store.records import CallRecord

prompts = typer.Typer(
    help="Show the role cards, and what was or would be sent.", no_args_is_help=True
)


@prompts.command("list")
def list_(agents: Agents = "", json: Json = False, debug: Debug = False) -> None:
    """List the role cards.

    Example: asi-arch prompts list --agents my_cards
    """
    from asi_arch.team.llm import TASKS, card_folder, load_cards
    from asi_arch.team.llm.card import card_path

    folder = card_folder(agents)
    cards = [
        {
            "task": f"{role}.{card.task}",
            "purpose": card.purpose,
            "temperature": card.temperature,
            "file": str(card_path(role, card.task, folder)),
        }
        for role in TASKS
        for card in load_cards(role, folder).values()
    ]
    if json:
        print_json({"prompts": cards})
        return
    columns = [
        Column[dict[str, Any]]("task", lambda card: card["task"], left=True),
        Column[dict[str, Any]]("purpose", lambda card: card["purpose"], 1, left=True),
        Column[dict[str, Any]]("file", lambda card: card["file"], 2, left=True),
    ]
    console = out()
    console.print(table(columns, cards, console.width))


@prompts.command()
def show(
    task: Annotated[str, typer.Argument(metavar="ROLE.TASK", help="As in researcher.propose.")],
    experiment: Annotated[
        int | None,
        typer.Option(
            "--experiment", metavar="ID", min=1, max=LARGEST_ID, help="Id of an experiment."
        ),
    ] = None,
    agents: Agents = "",
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a role card, or what was sent for an experiment; else what would be sent now.

    Example: asi-arch prompts show researcher.propose --experiment 12
    """
    path = _card(task, agents)
    if experiment is not None:
        _show_prompts(task, experiment, db, agents, json)
    elif json:
        print_json({"task": task, "file": str(path), "text": path.read_text(encoding="utf-8")})
    else:
        out().out(path.read_text(encoding="utf-8"), highlight=False, end="")


def _card(task: str, agents: str) -> Path:
    """Return the file of a task's card.

    Raises:
        UserError: there is no such task.
    """
    from asi_arch.team.llm import TASKS, card_folder
    from asi_arch.team.llm.card import card_path

    names = [f"{role}.{name}" for role, tasks in TASKS.items() for name in tasks]
    if task not in names:
        raise UserError(f"there is no task {task!r}; choose one of: {', '.join(names)}")
    role, _, name = task.partition(".")
    return card_path(role, name, card_folder(agents))


def _show_prompts(task: str, id: int, db: str, agents: str, json: bool) -> None:
    from asi_arch.configure import stored_config
    from asi_arch.memory import Memory
    from asi_arch.rehearsal import would_ask

    with opened(db) as (store, _):
        experiment = store.experiment(id)
        campaign = store.campaign(experiment.campaign_id)
        calls = [c for c in store.calls(campaign.id, id) if f"{c.role}.{c.task}" == task]
        if calls:
            _print_sent(task, calls, json)
            return
        if experiment.kind == "baseline":
            raise UserError(f"experiment {id} is a baseline, about which no model is asked")
        config = stored_config(campaign)
        config = config.model_copy(update={"agents": agents or config.agents})
        request = would_ask(task, Memory(store, campaign, config), experiment)
    if json:
        print_json({"task": task, "experiment": id, "would_be_sent": request.messages})
        return
    console = out()
    console.print(Text(f"{task} would be asked about experiment {id}:", "yellow"))
    _print_messages(request.messages, console)


def _print_sent(task: str, calls: "Sequence[CallRecord]", json: bool) -> None:
    if json:
        print_json({"task": task, "sent": calls})
        return
    console = out()
    for call in calls:
        when = f"call {call.id}, attempt {call.attempt}, {call.status}, {call.model}"
        console.print(Text(f"{task} about experiment {call.experiment_id}: {when}", "green"))
        _print_messages(call.messages, console)


def _print_messages(messages: "Sequence[Message]", console: Console) -> None:
    for message in messages:
        console.print(Text(f"\n--- {message.role}", "bold"))
        console.out(message.content, highlight=False)
