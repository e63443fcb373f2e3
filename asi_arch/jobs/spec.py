"""What is asked of a job, put together from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asi_arch.config import Config
from asi_arch.data import VOCAB_SIZE, part, vocab_size
from asi_arch.errors import UserError
from asi_arch.records import Job, Pace


@dataclass(frozen=True)
class Trained:
    """Weights, the program, stage and seed they belong to, and what their training reported."""

    program: str
    stage: str
    seed: int
    weights: Path
    reported: float | None


def data_folder(config: Config, own: Path) -> Path:
    """Return where the tokens lie: prepared data where they are, others in the folder `own`.

    Raises:
        UserError: prepared data are wanted and no folder is named.
    """
    if config.data.source != "prepared":
        return own
    if not config.data.folder:
        raise UserError(
            f"the configuration {config.name!r} trains on prepared data: name their folder with "
            "--data DIR, and make it with asi-arch data prepare"
        )
    return Path(config.data.folder)


def data_vocabulary(config: Config) -> int:
    """Return how many tokens the data know.

    Raises:
        UserError: they cannot be read.
    """
    folder = data_folder(config, Path())
    return vocab_size(part(folder, "train")) if config.data.source == "prepared" else VOCAB_SIZE


def require_vocabulary(config: Config) -> None:
    """Make sure that every stage has a row of its embedding for each token of the data.

    Raises:
        UserError: one has fewer, or the data cannot be read.
    """
    known = data_vocabulary(config)
    for name in ("explore", "confirm", "final"):
        rows = getattr(config, name).vocab_size
        if rows is not None and rows < known:
            raise UserError(
                f"{name}.vocab_size = {rows} is less than the {known} tokens of "
                f"{config.data.folder}; raise it and {name}.parameters, or prepare the data with a "
                "smaller tokenizer"
            )


def prepare_job(config: Config, folder: Path) -> Job:
    """Return the job that prepares the data in `folder`, or checks those that were prepared.

    Raises:
        UserError: prepared data are wanted and not named.
    """
    if config.data.source == "prepared" and not config.data.folder:
        raise UserError("data.source = 'prepared' needs --data DIR, made by asi-arch data prepare")
    spec = {"data": config.data.model_dump(), "folder": str(folder)}
    reads = tuple(filter(None, (config.data.files, config.data.folder)))
    writes = () if config.data.source == "prepared" else (str(folder),)
    return Job(name="prepare", kind="prepare", spec=spec, reads=reads, writes=writes)


def verify_job(
    name: str, program: str, config: Config, changes: Mapping[str, Any] | None = None
) -> Job:
    """Return the job that verifies a program for the size of `explore`.

    `changes` are fields of `VerifySettings` that differ from what the configuration says.
    """
    stage = config.explore
    spec = {
        "stage_hidden_size": stage.hidden_size,
        "stage_num_heads": stage.num_heads,
        "num_layers": stage.num_layers,
        "vocab_size": stage.vocab_size or data_vocabulary(config),
        "tied": stage.tied,
        "parameters": stage.parameters,
        **config.verify.model_dump(mode="json"),
    }
    return Job(
        name=name,
        kind="verify",
        program=program,
        spec=spec | dict(changes or {}),
        limits=config.verify_limits,
    )


def training_name(experiment_id: int, stage: str, seed: int) -> str:
    """Return the name of the job that trains an experiment; its folder keeps the weights."""
    return f"{experiment_id:05d}-{stage}-{seed}"


def training_job(
    name: str,
    program: str,
    config: Config,
    stage: str,
    seed: int,
    data: Path,
    pace: Pace | None = None,
) -> Job:
    """Return the job that trains a program at a stage with one seed, which `pace` may end early.

    It sees the training part of the data in the folder `data`, never the held-out part.
    """
    text = part(data, "train")
    return Job(
        name=name,
        kind="probe" if stage == "probe" else "train",
        program=program,
        spec={
            **_stage(config, stage),
            "seed": seed,
            "text": str(text),
            "pace": pace and pace.model_dump(mode="json"),
        },
        reads=() if stage == "probe" else (str(text),),
        limits=config.train_limits,
    )


def questions_job(name: str, config: Config, trained: Trained, data: Path) -> Job:
    """Return the job that writes what a trained model is asked; it runs no generated code."""
    return _examination(name, "questions", config, trained, _text(trained, data))


def hidden_job(name: str, config: Config, trained: Trained, questions: Path, last: int) -> Job:
    """Return the job that asks a trained model, which gets token ids and no labels.

    Only the `last` hidden states of each question are wanted; 0 means all.
    """
    job = _examination(name, "hidden", config, trained, {"questions": questions})
    spec = {**job.spec, "seed": trained.seed, "last": last}
    return job.model_copy(update={"program": trained.program, "spec": spec})


def generate_job(name: str, config: Config, trained: Trained, questions: Path, count: int) -> Job:
    """Return the job that lets a trained model write `count` token ids after each question."""
    job = _examination(name, "generate", config, trained, {"questions": questions})
    spec = {**job.spec, "seed": trained.seed, "count": count}
    return job.model_copy(update={"program": trained.program, "spec": spec})


def score_job(
    name: str,
    config: Config,
    trained: Trained,
    data: Path,
    answers: Mapping[str, Path],
    cut_seed: int,
) -> Job:
    """Return the job that turns hidden states into losses; it runs no generated code."""
    job = _examination(name, "score", config, trained, {**_text(trained, data), **answers})
    spec = {**job.spec, "cut_seed": cut_seed, "reported": trained.reported}
    return job.model_copy(update={"spec": spec})


def _examination(
    name: str,
    kind: Literal["questions", "hidden", "generate", "score"],
    config: Config,
    trained: Trained,
    files: Mapping[str, Path],
) -> Job:
    """Return a job about trained weights that reads `files`, whose names it finds in its spec."""
    paths = {"weights": str(trained.weights)} | {key: str(path) for key, path in files.items()}
    return Job(
        name=name,
        kind=kind,
        spec={**_stage(config, trained.stage), **paths},
        reads=tuple(paths.values()),
        limits=config.train_limits,
    )


def _text(trained: Trained, data: Path) -> dict[str, Path]:
    """Return the data folder for a stage that trains on text."""
    return {} if trained.stage == "probe" else {"data": data}


def _stage(config: Config, name: str) -> dict[str, Any]:
    return {"name": name, "stage": getattr(config, name).model_dump(mode="json")}
