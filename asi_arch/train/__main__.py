"""Train one program without a sandbox, in one process or in many that torchrun starts.

    torchrun --nproc-per-node 8 -m asi_arch.train layer.py --stage final --preset lab --out run

The program runs with all rights of whoever starts this, so it should have been verified before.
What comes out is examined in the sandbox: asi-arch train layer.py --stage final --trained run
"""

import argparse
import sys
from pathlib import Path

from asi_arch.config import Config, Stage
from asi_arch.configure import load_config
from asi_arch.data import load, part, prepare
from asi_arch.errors import AsiArchError, UserError
from asi_arch.jobs.paths import write_whole
from asi_arch.jobs.spec import data_folder, require_vocabulary
from asi_arch.records import MetricPoint
from asi_arch.train import parallel
from asi_arch.train.trainer import Task, train
from asi_arch.train.weights import save_whole

WEIGHTS, TRAINING, METRICS = "weights.safetensors", "training.json", "metrics.jsonl"


def main() -> int:
    """Train as the command line says; 0: trained, 1: the training failed, 2: a mistake in it."""
    try:
        with parallel.joined():
            _train(_arguments())
    except AsiArchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m asi_arch.train", description=__doc__)
    parser.add_argument("file", type=Path, help="the program")
    parser.add_argument("--stage", required=True, help="explore, confirm or final")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and checkpoint")
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, help="default: the stage's first")
    parser.add_argument("--sharing", choices=("replicas", "shards"), default="replicas")
    return parser.parse_args()


def _train(asked: argparse.Namespace) -> None:
    config = load_config(asked.preset, asked.config, asked.set)
    stage = getattr(config, asked.stage, None)
    if not isinstance(stage, Stage):
        raise UserError(f"--stage {asked.stage} trains no program; choose explore, confirm, final")
    _require_even(stage)
    asked.out.mkdir(parents=True, exist_ok=True)
    seed = stage.seeds[0] if asked.seed is None else asked.seed
    task = Task(
        asked.file.read_text(encoding="utf-8"),
        stage,
        seed,
        load(part(_data(config, asked.out), "train")),
        asked.out / "checkpoint.safetensors",
        sharing=asked.sharing,
    )
    model, training = train(task, asked.stage, lambda point: _tell(point, asked.out / METRICS))
    save_whole(model, asked.out / WEIGHTS)
    if parallel.main_process():
        write_whole(asked.out / TRAINING, training.model_dump_json(indent=1))
        for name, value in training.model_dump(exclude={"curve"}).items():
            print(f"{name}: {value}")


def _require_even(stage: Stage) -> None:
    if stage.batch_size % parallel.world_size():
        raise UserError(
            f"batch_size = {stage.batch_size} cannot be shared evenly by "
            f"{parallel.world_size()} processes; start another number of them"
        )


def _data(config: Config, out: Path) -> Path:
    """Return the folder of the prepared text; one process prepares or checks it for all."""
    require_vocabulary(config)
    folder = data_folder(config, out / "data")
    with parallel.first_alone():
        prepare(config.data, folder)
    return folder


def _tell(point: MetricPoint, metrics: Path) -> None:
    if parallel.main_process():
        print(f"step {point.step}: loss {point.loss:.4f}", file=sys.stderr)
        with metrics.open("a", encoding="utf-8") as file:
            file.write(point.model_dump_json() + "\n")


if __name__ == "__main__":
    sys.exit(main())
