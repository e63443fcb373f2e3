"""Trained weights on disk, as safetensors: numbers only, nothing that is executed when read."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_file, save_model
from torch import Tensor

from asi_arch.errors import AsiArchError
from asi_arch.train.model import LanguageModel, device
from asi_arch.train.parallel import main_process, whole

_HEADS = {True: "embedding.weight", False: "head.weight"}


class WeightsError(AsiArchError):
    """Weights that cannot be read, or do not fit; the run is stored as failed with this reason."""


def save_weights(model: LanguageModel, path: Path) -> None:
    """Write all parameters and buffers."""
    save_model(model, str(path))


def save_whole(model: LanguageModel, path: Path) -> None:
    """Write them in the main process, put together from all that train the model."""
    tensors = {name: whole(tensor) for name, tensor in model.state_dict().items()}
    if main_process():
        save_file(tensors, path)


def load_part(model: LanguageModel, path: Path, prefix: str) -> None:
    """Fill a model of the same program and task from a file that holds several.

    Raises:
        WeightsError: names or shapes differ, or the file is not safetensors.
    """
    names = [prefix + name for name in model.state_dict()]
    tensors = read_tensors(path, names)
    try:
        model.load_state_dict({name.removeprefix(prefix): t for name, t in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"the weights do not fit a fresh model: {error}") from error


def load_weights(model: LanguageModel, path: Path) -> None:
    """Fill a model of the same program and stage.

    Raises:
        WeightsError: names or shapes differ, or the file is not safetensors.
    """
    try:
        load_model(model, path, device=str(device()))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"the weights do not fit a fresh model: {error}") from error


def vocab_size_of(path: Path, prefix: str = "") -> int:
    """Return the rows of the embedding.

    Raises:
        WeightsError: there is none.
    """
    return len(read_head(path, prefix=prefix))


def read_head(path: Path, tied: bool = True, prefix: str = "") -> Tensor:
    """Return the head [vocab_size, hidden_size], which is the embedding if they are tied.

    `prefix` is that of all names, where a file holds several models.

    Raises:
        WeightsError: there is none.
    """
    name = prefix + _HEADS[tied]
    return read_tensors(path, [name])[name].float()


def read_tensors(path: Path, names: list[str]) -> dict[str, Tensor]:
    """Return tensors of a file that generated code may have written.

    Raises:
        WeightsError: one is missing, or the file is not plain safetensors.
    """
    if path.is_symlink() or not path.is_file():
        raise WeightsError(f"{path.name} is not a plain file")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} cannot be read: {error}") from error
