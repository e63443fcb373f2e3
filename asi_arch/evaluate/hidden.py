"""Ask a trained model for its hidden states.

Here generated code meets held-out inputs, so the process gets the program, the weights and token
ids only; labels never enter it, and what it answers is judged by another job.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asi_arch.config import Probe, Stage
from asi_arch.data import VOCAB_SIZE
from asi_arch.evaluate.recall import vocab_size
from asi_arch.train.model import LanguageModel, build_model, device
from asi_arch.train.weights import load_weights

_ROWS = 16


def answer(
    program: str,
    stage: Stage | Probe,
    *,
    seed: int,
    weights: Path,
    questions: Path,
    last: bool,
) -> dict[str, Tensor]:
    """Return what the head reads for each question, [rows, length, hidden_size] in float32.

    With `last` only the final position of each row is kept, [rows, hidden_size]. The seed is that
    of the training: a layer may draw constants when it is built.

    Raises:
        WeightsError: the weights do not fit a fresh model.
    """
    torch.manual_seed(seed)
    model, _ = build_model(program, stage, _vocab_size(stage))
    load_weights(model, weights)
    model.eval()
    with np.load(questions) as batches:
        return {name: _hidden(model, batches[name], last) for name in batches.files}


def _vocab_size(stage: Stage | Probe) -> int:
    return vocab_size(stage) if isinstance(stage, Probe) else VOCAB_SIZE


@torch.no_grad()
def _hidden(model: LanguageModel, tokens: npt.NDArray[np.generic], last: bool) -> Tensor:
    parts = torch.split(torch.from_numpy(tokens.astype(np.int64)), _ROWS)
    with torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda"):
        states = [model.hidden(part.to(device())) for part in parts]
    kept = [state[:, -1] if last else state for state in states]
    return torch.cat(kept).float().cpu().contiguous()
