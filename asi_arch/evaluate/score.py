"""Turn hidden states into losses, and judge whether they are honest; no generated code is here."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from asi_arch.config import Probe, Stage
from asi_arch.data import Ids
from asi_arch.errors import AsiArchError
from asi_arch.evaluate.questions import (
    CLOSING,
    HELDOUT,
    Cuts,
    choose_cuts,
    heldout_windows,
    reported_windows,
    window_documents,
)
from asi_arch.evaluate.recall import questions as recall_questions
from asi_arch.records import Audit, Score, Scored
from asi_arch.train.model import device
from asi_arch.train.weights import read_head, read_tensors
from asi_arch.verify.compare import relative_change

LOSS_TOLERANCE = 0.01
"""Nats per token between what was reported and what the weights give; rounding makes 1e-6 on a
CPU and 1e-3 in bfloat16. Nothing is decided by the reported number, so it need not be tighter."""

CHANGE_TOLERANCE = {"cpu": 1e-3, "cuda": 5e-2}
"""Relative change of a hidden state that rounding may cause, in float32 and in bfloat16."""

_ROWS = 16


class ScoreError(AsiArchError):
    """Hidden states that are no answer to the question; the run is stored as failed."""


def score_text(
    stage: Stage,
    data: Path,
    *,
    weights: Path,
    whole: Path,
    prefixes: Path,
    seed: int,
    reported: float,
) -> Scored:
    """Return held-out losses from the hidden states in `whole`, and the audit.

    `prefixes` holds the hidden states after the prefixes that `seed` draws.

    Raises:
        ScoreError: hidden states have the wrong shape or are not finite.
        WeightsError: a file cannot be read.
    """
    head = read_head(weights, stage.tied)
    tokens, closing = heldout_windows(stage, data), reported_windows(stage, data)
    shape = (stage.length, stage.hidden_size)
    states = _states(whole, {HELDOUT: (len(tokens), *shape), CLOSING: (len(closing), *shape)})
    losses = _losses(states[HELDOUT], head, tokens[:, 1:])
    recomputed = _losses(states[CLOSING], head, closing[:, 1:]).mean().item()
    cuts = choose_cuts(stage, data, seed)
    ends = _states(
        prefixes,
        {str(length): (len(w), stage.hidden_size) for length, w in cuts.by_length.items()},
    )
    found = _compare(states[HELDOUT], torch.cat(list(ends.values())), losses, head, tokens, cuts)
    by_window = losses.mean(1)
    return Scored(
        loss=by_window.mean().item(),
        loss_error=by_window.std().item() / math.sqrt(len(by_window)),
        heldout=tuple(by_window.tolist()),
        documents=window_documents(stage, data),
        audit=_audit(reported, recomputed, found),
    )


def score_recall(task: Probe, weights: Path, answers: Path) -> Scored:
    """Return the share of questions answered rightly, for each task; its text ends with each.

    Raises:
        ScoreError: hidden states have the wrong shape or are not finite.
        WeightsError: a file cannot be read.
    """
    asked = recall_questions(task)
    states = _states(
        answers, {name: (len(q.answers), task.hidden_size) for name, q in asked.items()}
    )
    right: dict[str, list[Tensor]] = {name: [] for name in task.tasks}
    for name, question in asked.items():
        own = name.partition(".")[0]
        head = read_head(weights, prefix=f"{own}.")
        found = F.linear(states[name], head).argmax(-1)
        right[own].append(found == torch.from_numpy(question.answers))
    return Scored(scores=tuple(_accuracy(name, torch.cat(own)) for name, own in right.items()))


def _accuracy(name: str, right: Tensor) -> Score:
    share, count = right.double().mean().item(), right.numel()
    error = math.sqrt(share * (1 - share) / count)
    return Score(benchmark=name, metric="accuracy", value=share, error=error, n=count)


def _states(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    found = read_tensors(path, list(shapes))
    for name, tensor in found.items():
        if tuple(tensor.shape) != shapes[name]:
            raise ScoreError(
                f"the hidden states of {name} are {list(tensor.shape)}, not {list(shapes[name])}"
            )
        if not tensor.isfinite().all():
            raise ScoreError(f"the hidden states of {name} are not finite")
    return {name: tensor.float() for name, tensor in found.items()}


def _losses(states: Tensor, head: Tensor, labels: Ids) -> Tensor:
    """Loss of each token in nats, [rows, length] in float64."""
    wanted = torch.from_numpy(labels.astype(np.int64))
    parts = zip(torch.split(states, _ROWS), torch.split(wanted, _ROWS), strict=True)
    found = [
        F.cross_entropy(F.linear(part, head).transpose(1, 2), label, reduction="none").double()
        for part, label in parts
    ]
    return torch.cat(found)


@dataclass(frozen=True)
class _Comparison:
    """How the full run differs from prefixes at their last tokens; gains in nats, [positions]."""

    change: float
    gains: Tensor

    @property
    def gain(self) -> float:
        """How much lower the loss of the full run is, on average."""
        return self.gains.mean().item()

    @property
    def error(self) -> float:
        """The standard error of the gain."""
        count = len(self.gains)
        return self.gains.std().item() / math.sqrt(count) if count > 1 else 0.0


def _compare(
    full: Tensor, ends: Tensor, losses: Tensor, head: Tensor, tokens: Ids, cuts: Cuts
) -> _Comparison:
    rows, places = (torch.tensor(side) for side in zip(*cuts.pairs, strict=True))
    labels = torch.from_numpy(tokens.astype(np.int64))[rows, places]
    alone = F.cross_entropy(F.linear(ends, head), labels, reduction="none").double()
    change = relative_change(ends, full[rows, places - 1])
    return _Comparison(change, alone - losses[rows, places - 1])


def _audit(reported: float, recomputed: float, found: _Comparison) -> Audit:
    tolerance = CHANGE_TOLERANCE[device().type]
    flaws = [*_claim(reported, recomputed), *_foresight(found, tolerance)]
    return Audit(
        reported=reported,
        recomputed=recomputed,
        loss_tolerance=LOSS_TOLERANCE,
        positions=len(found.gains),
        largest_change=found.change,
        change_tolerance=tolerance,
        prefix_gain=found.gain,
        prefix_error=found.error,
        flaw="; ".join(flaws),
    )


def _claim(reported: float, recomputed: float) -> Iterator[str]:
    if not abs(reported - recomputed) <= LOSS_TOLERANCE:
        yield (
            f"the training reported a loss of {reported:.4f}, its weights give {recomputed:.4f} "
            "nats per token on the same text"
        )


def _foresight(found: _Comparison, tolerance: float) -> Iterator[str]:
    if not found.change <= tolerance:
        yield (
            f"hidden states move by {found.change:.2g} of their scale when the text ends where "
            f"the model may look; with the rest in sight the loss is lower by {found.gain:+.4f} ± "
            f"{found.error:.4f} nats per token"
        )
