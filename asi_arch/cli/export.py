"""`asi-arch export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, Db, Debug, ExperimentId, Json, complete_stages
from asi_arch.cli.output import out, print_json
from asi_arch.cli.trained import choose_run, trained_runs, weights_of
from asi_arch.configure import stored_config

if TYPE_CHECKING:
    from asi_arch.export import Trained
    from asi_arch.store import Store

Target = Literal["hf"]


def export(
    id: ExperimentId,
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder.")],
    to: Annotated[Target, typer.Option(help="What shall load it: hf is transformers.")] = "hf",
    stage: Annotated[
        str | None,
        typer.Option(help="Which model; default: the largest.", autocompletion=complete_stages),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Default: the stage's first.")] = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a trained model as a folder that transformers loads and lm-eval scores.

    The folder has the weights (safetensors), the program, the tokenizer and a model card. Whoever
    loads it executes the program, which is generated code: read it first.

    Example: asi-arch export 12 --out ./model
    """
    from asi_arch.export import export_hf

    with opened(db) as (store, _):
        trained = _trained(store, id, stage, seed)
    export_hf(trained, out_)
    files = sorted(path.name for path in out_.iterdir())
    if json:
        run = trained.run
        print_json({"folder": str(out_), "stage": run.stage, "seed": run.seed, "files": files})
    else:
        out().print(Text(f"{out_}: {', '.join(files)}"), soft_wrap=True)


def _trained(store: "Store", id: int, stage: str | None, seed: int | None) -> "Trained":
    from asi_arch.data.tokenizer import tokenizer_of
    from asi_arch.export import Trained
    from asi_arch.jobs.spec import data_folder

    experiment = store.experiment(id)
    campaign = store.campaign(experiment.campaign_id)
    config = stored_config(campaign)
    run = choose_run(trained_runs(store, experiment), stage, seed)
    return Trained(
        experiment,
        run,
        getattr(config, run.stage),
        weights_of(campaign, run),
        tokenizer_of(data_folder(config, Path(campaign.folder) / "jobs" / "data")),
        config.data.source,
    )
