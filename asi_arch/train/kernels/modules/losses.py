"""Cross entropy; stands in for `fla.modules.fused_cross_entropy` and its linear form."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.errors import UserError

__all__ = ["FusedCrossEntropyLoss", "FusedLinearCrossEntropyLoss"]


class FusedCrossEntropyLoss(nn.Module):
    """Cross entropy of logits [N, V] in float32, with fla's options."""

    def __init__(
        self,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        logit_scale: float = 1.0,
        lse_square_scale: float = 0.0,
        logit_softcapping: float | None = None,
        inplace_backward: bool = False,
        process_group: None = None,
        return_z_loss: bool = False,
    ) -> None:
        super().__init__()
        if return_z_loss:
            raise UserError("return_z_loss has no CPU implementation; leave it False.")
        self.ignore_index, self.reduction = ignore_index, reduction
        self.label_smoothing, self.logit_scale = label_smoothing, logit_scale
        self.lse_square_scale, self.logit_softcapping = lse_square_scale, logit_softcapping

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of targets [N], reduced."""
        logits = input.to(torch.promote_types(input.dtype, torch.float32)) * self.logit_scale
        if self.logit_softcapping is not None:
            logits = self.logit_softcapping * torch.tanh(logits / self.logit_softcapping)
        how: dict[str, Any] = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        loss = F.cross_entropy(logits, target, label_smoothing=self.label_smoothing, **how)
        if self.lse_square_scale:
            square = logits.logsumexp(-1).square() * (target != self.ignore_index)
            loss = loss + self.lse_square_scale * self._reduce(square, target)
        return loss

    def _reduce(self, values: Tensor, target: Tensor) -> Tensor:
        if self.reduction == "none":
            return values
        total = values.sum()
        return total if self.reduction == "sum" else total / (target != self.ignore_index).sum()


class FusedLinearCrossEntropyLoss(nn.Module):
    """Cross entropy of the logits of a linear head, made and used in one call."""

    def __init__(
        self,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        logit_scale: float = 1.0,
        logit_softcapping: float | None = None,
        num_chunks: int = 8,
        reduction: str = "mean",
        use_l2warp: bool = False,
        l2_penalty_factor: float = 1e-4,
        accumulate_grad_in_fp32: bool = True,
        process_group: None = None,
    ) -> None:
        super().__init__()
        if use_l2warp:
            raise UserError("use_l2warp has no CPU implementation; leave it False.")
        self.loss = FusedCrossEntropyLoss(
            ignore_index,
            reduction,
            label_smoothing,
            logit_scale,
            logit_softcapping=logit_softcapping,
        )

    def forward(
        self, x: Tensor, target: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """Return the loss of x [B, T, D] against targets [B, T]; weight [V, D]."""
        logits = F.linear(x.flatten(0, -2), weight, bias)
        loss: Tensor = self.loss(logits, target.flatten())
        return loss
