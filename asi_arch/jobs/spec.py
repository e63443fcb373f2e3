"""What is asked of a job, put together from the configuration."""

from pathlib import Path

from asi_arch.config import Config
from asi_arch.records import Job


def prepare_job(config: Config, folder: Path) -> Job:
    """Return the job that prepares the data in `folder`."""
    spec = {"data": config.data.model_dump(), "folder": str(folder)}
    files = (config.data.files,) if config.data.files else ()
    return Job(name="prepare", kind="prepare", spec=spec, reads=files, writes=(str(folder),))


def verify_job(name: str, program: str, config: Config, only: tuple[str, ...] = ()) -> Job:
    """Return the job that verifies a program for the size of `explore`."""
    stage = config.explore
    spec = {
        "stage_hidden_size": stage.hidden_size,
        "stage_num_heads": stage.num_heads,
        "num_layers": stage.num_layers,
        "parameters": stage.parameters,
        "only": only,
    }
    return Job(name=name, kind="verify", program=program, spec=spec, limits=config.verify_limits)


def training_job(
    name: str, program: str, config: Config, stage: str, seed: int, folder: Path
) -> Job:
    """Return the job that trains a program at a stage with one seed, on the data in `folder`."""
    spec = {
        "name": stage,
        "stage": getattr(config, stage).model_dump(mode="json"),
        "seed": seed,
        "folder": str(folder),
    }
    return Job(
        name=name,
        kind="probe" if stage == "probe" else "train",
        program=program,
        spec=spec,
        reads=(str(folder),),
        limits=config.train_limits,
    )
