"""`asi-arch evaluate`."""

import asyncio
import math
from asyncio import run_coroutine_threadsafe
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.alone import temporary_runner
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, LARGEST_ID, Db, Debug, Json, complete_stages
from asi_arch.cli.output import NONE, Column, err, out, print_json, table, with_error
from asi_arch.cli.signals import run_until_signal
from asi_arch.cli.trained import choose_run, trained_runs, weights_of
from asi_arch.config import Config
from asi_arch.configure import stored_config
from asi_arch.errors import MissingExtra, UserError
from asi_arch.records import Campaign, Experiment, Run, Score

if TYPE_CHECKING:
    from asi_arch.store import Store


@dataclass
class Entrant:
    """A trained experiment and what it scores."""

    experiment: Experiment
    campaign: Campaign
    config: Config
    run: Run
    weights: Path
    scores: tuple[Score, ...] = ()


def evaluate(
    ids: Annotated[
        list[int], typer.Argument(metavar="ID...", min=1, max=LARGEST_ID, help="Experiments.")
    ],
    tasks: Annotated[
        list[str],
        typer.Option(help="lm-eval tasks with commas, or paper12, paper7, paper10; repeatable."),
    ],
    stage: Annotated[
        str | None,
        typer.Option(help="Which model; default: the largest.", autocompletion=complete_stages),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Default: the stage's first.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Samples a task; default: all.")] = None,
    include: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Only the tasks of the YAML files in this folder."),
    ] = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Score trained experiments on benchmarks of lm-eval.

    Tasks, metrics and standard errors are lm-eval's. The model runs in jobs that get token ids and
    no labels. The scores are stored with the run; those of the same task are replaced.

    Example: asi-arch evaluate 12 57 --tasks arc_easy,hellaswag --limit 500
    """
    manager, names = _known(include, tasks)
    with opened(db) as (store, _):
        entrants = [_entrant(store, id, stage, seed) for id in ids]
        for entrant in entrants:
            err().print(Text(f"{entrant.experiment.name}: {', '.join(names)}"), soft_wrap=True)
            entrant.scores = run_until_signal(_score(entrant, names, manager, limit))
            run = entrant.run
            store.save_scores(run.experiment_id, run.stage, run.seed, entrant.scores)
    if json:
        print_json([_document(entrant) for entrant in entrants])
    else:
        _print(entrants, names, out())


def _known(include: Path | None, words: list[str]) -> tuple[Any, list[str]]:
    from asi_arch.evaluate.benchmarks import wanted_tasks

    if include is not None and not include.is_dir():
        raise UserError(f"--include {include} is not a folder; name one with YAML files of tasks")
    try:
        from asi_arch.evaluate.harness import task_manager
    except ImportError as error:
        raise MissingExtra("lm-eval", "eval") from error
    manager = task_manager(include)
    return manager, wanted_tasks(words, manager.all_tasks)


def _entrant(store: "Store", id: int, stage: str | None, seed: int | None) -> Entrant:
    experiment = store.experiment(id)
    campaign = store.campaign(experiment.campaign_id)
    run = choose_run(trained_runs(store, experiment), stage, seed)
    weights = weights_of(campaign, run)
    return Entrant(experiment, campaign, stored_config(campaign), run, weights)


async def _score(
    entrant: Entrant, tasks: list[str], manager: Any, limit: int | None
) -> tuple[Score, ...]:
    from asi_arch.data.tokenizer import tokenizer_of
    from asi_arch.evaluate.asking import Asker
    from asi_arch.evaluate.harness import AskedModel
    from asi_arch.evaluate.harness import evaluate as score
    from asi_arch.jobs.spec import Trained
    from asi_arch.train.weights import read_head

    config, run = entrant.config, entrant.run
    loop, stage = asyncio.get_running_loop(), getattr(config, entrant.run.stage)
    assert entrant.experiment.program is not None
    trained = Trained(entrant.experiment.program.source, run.stage, run.seed, entrant.weights, None)
    tokenizer = tokenizer_of(Path(entrant.campaign.folder) / "jobs" / "data")
    async with temporary_runner(config.sandbox, config.jobs.gpus) as runner:
        asker = Asker(
            runner, config, trained, lambda job: run_coroutine_threadsafe(job, loop).result()
        )
        head = read_head(entrant.weights, stage.tied)
        model = AskedModel(asker, head, tokenizer, stage.length)
        try:
            return await asyncio.to_thread(score, model, tasks, manager, limit)
        except OSError as error:
            raise UserError(_without_data(tasks, error)) from error


def _without_data(tasks: list[str], error: OSError) -> str:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"the data of one of {', '.join(tasks)} cannot be had ({said[0][:200]}); get them once "
        "with a network, or describe tasks on files of your own: --include DIR"
    )


def _document(entrant: Entrant) -> dict[str, Any]:
    run = entrant.run
    return {
        "experiment": entrant.experiment.id,
        "name": entrant.experiment.name,
        "stage": run.stage,
        "seed": run.seed,
        "loss": run.measurement.loss if run.measurement else math.nan,
        "scores": entrant.scores,
    }


def _print(entrants: list[Entrant], tasks: list[str], console: Console) -> None:
    from asi_arch.evaluate.benchmarks import main_score

    def column(entrant: Entrant) -> Column[str]:
        def cell(task: str) -> str:
            score = main_score(entrant.scores, task)
            return with_error(score.value, score.error) if score else NONE

        return Column(f"{entrant.experiment.id} {entrant.experiment.name}", cell)

    def metric(task: str) -> str:
        score = main_score(entrants[0].scores, task)
        return score.metric if score else ""

    columns = [
        Column[str]("task", lambda task: task, left=True),
        Column[str]("metric", metric, left=True),
        *map(column, entrants),
    ]
    console.print(table(columns, tasks, console.width))
    for entrant in entrants:
        got = entrant.run.measurement
        loss = with_error(got.loss, got.loss_error) if got else ""
        where = f"{entrant.run.stage} seed {entrant.run.seed}"
        console.print(Text(f"{entrant.experiment.name}, {where}: held-out loss {loss}"))
