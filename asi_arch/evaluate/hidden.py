"""Ask a trained model for its hidden states.

Here generated code meets held-out inputs, so the process gets the program, the weights and token
ids only; labels never enter it, and what it answers is judged by another job.
"""

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asi_arch.config import Probe, ProbeTask, Stage
from asi_arch.train.loss import autocast
from asi_arch.train.model import LanguageModel, build_model, device
from asi_arch.train.weights import load_part, load_weights, vocab_size_of

_ROWS = 16


def answer(
    program: str,
    stage: Stage | Probe,
    *,
    seed: int,
    weights: Path,
    questions: Path,
    last: int,
) -> dict[str, Tensor]:
    """Return what the head reads for each question, [rows, length, hidden_size] in float32.

    Of each row only the `last` positions are kept (of one: [rows, hidden_size]); 0 keeps all. The
    seed is that of the training: a layer may draw constants when it is built.

    Raises:
        WeightsError: the weights do not fit a fresh model.
    """
    with np.load(questions) as batches:
        if isinstance(stage, Probe):
            models = {name: _probed(program, stage, name, seed, weights) for name in stage.tasks}
            return {q: _hidden(models[_task(q)], batches[q], last) for q in batches.files}
        model = _loaded(program, stage, seed, weights)
        return {name: _hidden(model, batches[name], last) for name in batches.files}


def write_on(
    program: str, stage: Stage, *, seed: int, weights: Path, questions: Path, count: int
) -> dict[str, list[list[int]]]:
    """Return the `count` likeliest token ids after each question, one after another.

    Each step reads the last tokens of the text that the stage's length allows.

    Raises:
        WeightsError: the weights do not fit a fresh model.
    """
    model = _loaded(program, stage, seed, weights)
    with np.load(questions) as batches:
        return {name: _written(model, batches[name], count, stage) for name in batches.files}


def _task(question: str) -> ProbeTask:
    return cast(ProbeTask, question.partition(".")[0])


def _probed(program: str, probe: Probe, name: ProbeTask, seed: int, weights: Path) -> LanguageModel:
    torch.manual_seed(seed)
    model, _ = build_model(program, probe, vocab_size_of(weights, f"{name}."))
    load_part(model, weights, f"{name}.")
    return model.eval()


def _loaded(program: str, stage: Stage, seed: int, weights: Path) -> LanguageModel:
    torch.manual_seed(seed)
    model, _ = build_model(program, stage, vocab_size_of(weights))
    load_weights(model, weights)
    return model.eval()


@torch.no_grad()
def _written(
    model: LanguageModel, tokens: npt.NDArray[np.generic], count: int, stage: Stage
) -> list[list[int]]:
    text = torch.from_numpy(tokens.astype(np.int64)).to(device())
    for _ in range(count):
        parts = torch.split(text[:, -stage.length :], _ROWS)
        with autocast():
            ids = [model(part)[:, -1].float().argmax(-1) for part in parts]
        text = torch.cat([text, torch.cat(ids)[:, None]], dim=1)
    return text[:, -count:].tolist()


@torch.no_grad()
def _hidden(model: LanguageModel, tokens: npt.NDArray[np.generic], last: int) -> Tensor:
    parts = torch.split(torch.from_numpy(tokens.astype(np.int64)), _ROWS)
    with autocast():
        states = [model.hidden(part.to(device())) for part in parts]
    kept = [state[:, -last:].squeeze(1) if last else state for state in states]
    return torch.cat(kept).float().cpu().contiguous()
