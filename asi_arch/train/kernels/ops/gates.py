"""Gates that fla computes inside its kernels, as published with the layers that use them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from asi_arch.errors import UserError

__all__ = ["fused_gdn_gate", "fused_kda_gate"]


def fused_gdn_gate(
    g: Tensor,
    A_log: Tensor,
    dt_bias: Tensor | None = None,
    output_dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Log decay -exp(A_log) * softplus(g + dt_bias) of a head (arXiv 2412.06464).

    g [..., H]; A_log and dt_bias [H].
    """
    g = g.to(output_dtype)
    if dt_bias is not None:
        g = g + dt_bias.to(output_dtype)
    return -A_log.to(output_dtype).exp() * F.softplus(g)


def fused_kda_gate(
    g: Tensor,
    A_log: Tensor | None = None,
    dt_bias: Tensor | None = None,
    lower_bound: float | None = None,
    output_dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Log decay of a key channel (arXiv 2510.26692).

    g [..., H, K]; A_log [H]; dt_bias [H * K]. With a lower bound the decay is
    lower_bound * sigmoid(exp(A_log) * (g + dt_bias)), else as `fused_gdn_gate`.
    """
    g = g.to(output_dtype)
    if dt_bias is not None:
        g = g + dt_bias.to(output_dtype).view(g.shape[-2:])
    rate = None if A_log is None else A_log.to(output_dtype).exp().view(-1, 1)
    if lower_bound is not None:
        return lower_bound * torch.sigmoid(g if rate is None else rate * g)
    if rate is None:
        raise UserError("A_log is None; pass A_log or a lower_bound for the gate.")
    return -rate * F.softplus(g)


def write_strength(beta: Tensor, use_sigmoid: bool, allow_neg_eigval: bool) -> Tensor:
    """Return beta as it is, or its sigmoid, doubled where negative eigenvalues are allowed."""
    if not use_sigmoid:
        if allow_neg_eigval:
            raise UserError("allow_neg_eigval=True needs use_beta_sigmoid_in_kernel=True.")
        return beta
    beta = beta.to(torch.promote_types(beta.dtype, torch.float32)).sigmoid()
    return 2 * beta if allow_neg_eigval else beta
