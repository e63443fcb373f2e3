"""Normalisation as functions; stand in for those beside fla's normalisation layers."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from asi_arch.train.kernels.operators import l2_normalise

__all__ = [
    "group_norm",
    "l2_norm",
    "l2norm",
    "layer_norm",
    "layer_norm_linear",
    "rms_norm",
    "rms_norm_gated",
    "rms_norm_linear",
    "rms_norm_swish_gate_linear",
    "rmsnorm_fn",
]

Normed = Tensor | tuple[Tensor, Tensor]
"""The output; with prenorm also the sum with the residual that was normalised."""

GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "swish": F.silu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
}


def group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    eps: float = 1e-5,
    prenorm: bool = False,
    residual_in_fp32: bool = False,
    is_rms_norm: bool = False,
    num_groups: int = 1,
) -> Normed:
    """Normalise groups of the last axis: by the root mean square, or after centring.

    x [..., D]; weight and bias [D]. Half inputs are normalised in float32. The residual is
    added first.
    """
    if residual is not None:
        x = x + residual
    total = x.float() if residual_in_fp32 and x.dtype != torch.float64 else x
    y = x.to(torch.promote_types(x.dtype, torch.float32)).reshape(*x.shape[:-1], num_groups, -1)
    if not is_rms_norm:
        y = y - y.mean(-1, keepdim=True)
    y = (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + eps)).flatten(-2)
    if weight is not None:
        y = y * weight
    if bias is not None:
        y = y + bias
    y = y.to(x.dtype)
    return (y, total) if prenorm else y


def layer_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    eps: float = 1e-5,
    prenorm: bool = False,
    residual_in_fp32: bool = False,
    is_rms_norm: bool = False,
) -> Normed:
    """Layer norm of the last axis (see `group_norm`)."""
    return group_norm(x, weight, bias, residual, eps, prenorm, residual_in_fp32, is_rms_norm)


def rms_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    eps: float = 1e-5,
    prenorm: bool = False,
    residual_in_fp32: bool = False,
) -> Normed:
    """Root-mean-square norm of the last axis (see `group_norm`)."""
    return group_norm(x, weight, bias, residual, eps, prenorm, residual_in_fp32, True)


def rms_norm_gated(
    x: Tensor,
    g: Tensor,
    weight: Tensor | None,
    bias: Tensor | None = None,
    activation: str = "swish",
    residual: Tensor | None = None,
    prenorm: bool = False,
    residual_in_fp32: bool = False,
    eps: float = 1e-6,
    is_rms_norm: bool = True,
) -> Normed:
    """Norm of x [..., D] times the activated gate g [..., D]."""
    normed = group_norm(x, weight, bias, residual, eps, True, residual_in_fp32, is_rms_norm)
    y = (normed[0] * GATES[activation](g)).to(x.dtype)
    return (y, normed[1]) if prenorm else y


def layer_norm_linear(
    x: Tensor,
    norm_weight: Tensor | None,
    norm_bias: Tensor | None,
    linear_weight: Tensor,
    linear_bias: Tensor | None,
    residual: Tensor | None = None,
    eps: float = 1e-5,
    prenorm: bool = False,
    residual_in_fp32: bool = False,
    is_rms_norm: bool = False,
    num_groups: int = 1,
) -> Normed:
    """Group norm, then a linear map with weight [out, D]."""
    y, total = group_norm(
        x, norm_weight, norm_bias, residual, eps, True, residual_in_fp32, is_rms_norm, num_groups
    )
    y = F.linear(y.to(linear_weight.dtype), linear_weight, linear_bias)
    return (y, total) if prenorm else y


def rms_norm_linear(
    x: Tensor,
    norm_weight: Tensor | None,
    norm_bias: Tensor | None,
    linear_weight: Tensor,
    linear_bias: Tensor | None,
    residual: Tensor | None = None,
    eps: float = 1e-5,
    prenorm: bool = False,
    residual_in_fp32: bool = False,
) -> Normed:
    """Root-mean-square norm, then a linear map with weight [out, D]."""
    weights = (norm_weight, norm_bias, linear_weight, linear_bias)
    return layer_norm_linear(x, *weights, residual, eps, prenorm, residual_in_fp32, True)


def rms_norm_swish_gate_linear(
    x: Tensor,
    g: Tensor,
    norm_weight: Tensor | None,
    norm_bias: Tensor | None,
    linear_weight: Tensor,
    linear_bias: Tensor | None,
    residual: Tensor | None = None,
    prenorm: bool = False,
    residual_in_fp32: bool = False,
    eps: float = 1e-6,
) -> Normed:
    """Gated root-mean-square norm, then a linear map with weight [out, D]."""
    y, total = rms_norm_gated(
        x, g, norm_weight, norm_bias, "swish", residual, True, residual_in_fp32, eps
    )
    y = F.linear(y.to(linear_weight.dtype), linear_weight, linear_bias)
    return (y, total) if prenorm else y


def rmsnorm_fn(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    z: Tensor | None = None,
    eps: float = 1e-6,
    group_size: int | None = None,
    norm_before_gate: bool = True,
) -> Tensor:
    """Grouped root-mean-square norm with the SiLU gate z after it (or before it), as in Mamba."""
    gate = None if z is None else F.silu(z)
    if gate is not None and not norm_before_gate:
        x = x * gate
    groups = 1 if group_size is None else x.shape[-1] // group_size
    y, _ = group_norm(x, weight, bias, None, eps, True, False, True, groups)
    return y * gate if gate is not None and norm_before_gate else y


def l2norm(x: Tensor, eps: float = 1e-6, output_dtype: torch.dtype | None = None) -> Tensor:
    """Give vectors of the last axis unit length: x / sqrt(|x|^2 + eps)."""
    precise = x.to(torch.promote_types(x.dtype, torch.float32))
    return l2_normalise(precise, 1.0, eps).to(output_dtype or x.dtype)


l2_norm = l2norm
