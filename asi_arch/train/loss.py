"""The training loss: cross entropy of a linear head over hidden states, in nats per token."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.data import Ids
from asi_arch.train.clock import Clock
from asi_arch.train.model import LanguageModel, device


class Objective(nn.Module):
    """What a training minimises; data parallelism wraps it."""

    def __init__(self, model: LanguageModel, clock: Clock) -> None:
        super().__init__()
        self.model = model
        self.clock = clock

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the mean loss of [batch, length + 1] token ids, each predicting the next."""
        with autocast():
            hidden = self.model.hidden(tokens[:, :-1])
            with self.clock.part("loss"):
                return linear_cross_entropy(hidden, self.model.head_weight, tokens[:, 1:])


@torch.no_grad()
def window_losses(objective: nn.Module, windows: Ids) -> Tensor:
    """Return the mean loss of each window, [count, length + 1] token ids to [count]."""
    objective.eval()
    tokens = torch.from_numpy(windows).to(device(), dtype=torch.long)
    return torch.stack([objective(row[None]) for row in tokens]).double().cpu()


def autocast() -> torch.autocast:
    """Compute in bfloat16 on a GPU, where the weights stay float32; in float32 on a CPU."""
    return torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda")


def linear_cross_entropy(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss of hidden states [batch, length, d] under a head [vocab_size, d].

    On a GPU by fla's fused kernel, which never holds all logits.
    """
    if hidden.is_cuda:
        from fla.modules import FusedLinearCrossEntropyLoss

        half = torch.bfloat16
        fused = FusedLinearCrossEntropyLoss(accumulate_grad_in_fp32=True)
        return torch.as_tensor(fused(hidden.to(half), labels.contiguous(), head.to(half)))
    logits = F.linear(hidden, head).float()
    return F.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean()
