"""Everything a training needs to go on as if it had never stopped, in one safetensors file."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from asi_arch.config import Stage
from asi_arch.errors import UserError
from asi_arch.records import MetricPoint
from asi_arch.train.parallel import like, main_process, whole

_LEFT_OUT = {"checkpoint_minutes", "micro_batch", "compile", "stop"}


class Progress(BaseModel):
    """How far a training has come; `recent` are the losses since the last point of the curve."""

    learning_rate: float
    sweep: dict[str, float] = {}
    step: int = 0
    seconds: float = 0.0
    recent: list[float] = []
    curve: list[MetricPoint] = []


def belonging(program: str, stage: Stage, seed: int) -> str:
    """Return the mark of trainings that may go on from each other's checkpoints."""
    asked = [program, stage.model_dump(mode="json", exclude=_LEFT_OUT), seed]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def save(path: Path, mark: str, progress: Progress, model: nn.Module, optimizer: Optimizer) -> None:
    """Write a checkpoint in the place of the one before; a kill leaves one of the two."""
    tensors = {f"model.{name}": whole(tensor) for name, tensor in model.state_dict().items()}
    tensors |= _flat(optimizer.state_dict()["state"]) | _random_state()
    if main_process():
        meta = {"mark": mark, "progress": progress.model_dump_json()}
        beside = path.with_suffix(".part")
        save_file(tensors, beside, meta)
        beside.replace(path)


def restore(path: Path, mark: str, model: nn.Module, optimizer: Optimizer) -> Progress | None:
    """Fill model and optimizer from a checkpoint and return how far it is, None without one.

    Raises:
        UserError: it belongs to another program, stage or seed, or cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            if meta.get("mark") != mark:
                raise UserError(
                    f"{path} is the checkpoint of another program, stage or seed; remove it or "
                    "name another folder"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError) as error:
        raise UserError(f"the checkpoint {path} cannot be read ({error}); remove it") from error
    _fill_model(model, tensors)
    _fill_optimizer(optimizer, tensors)
    _set_random_state(tensors)
    return Progress.model_validate_json(meta["progress"])


def _flat(state: dict[int, dict[str, Any]]) -> dict[str, Tensor]:
    return {
        f"optimizer.{index}.{key}": whole(value)
        for index, values in state.items()
        for key, value in values.items()
    }


def _fill_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    own = model.state_dict()
    model.load_state_dict({name: like(own[name], tensors[f"model.{name}"]) for name in own})


def _fill_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            shaped = like(parameters[int(index)], tensor) if tensor.ndim else tensor
            state.setdefault(int(index), {})[key] = shaped
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _random_state() -> dict[str, Tensor]:
    """Return the state of torch's own random numbers, on the CPU and on the GPU."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_state(tensors: dict[str, Tensor]) -> None:
    torch.set_rng_state(tensors["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
