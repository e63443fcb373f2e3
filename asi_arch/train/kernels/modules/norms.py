"""Normalisation layers; stand in for `fla.modules.layernorm`, `.fused_norm_gate`, `.l2norm`."""

from typing import Any

import torch
from torch import Tensor, nn

from asi_arch.errors import UserError
from asi_arch.train.kernels.modules.norm_functions import (
    GATES,
    Normed,
    group_norm,
    l2norm,
    rms_norm_gated,
    rmsnorm_fn,
)

__all__ = [
    "FusedLayerNormGated",
    "FusedLayerNormSwishGate",
    "FusedRMSNormGated",
    "FusedRMSNormSwishGate",
    "GroupNorm",
    "L2Norm",
    "LayerNorm",
    "RMSNorm",
    "RMSNormGated",
]


class L2Norm(nn.Module):
    """`l2norm` as a module."""

    def __init__(self, eps: float = 1e-6, output_dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.eps, self.output_dtype = eps, output_dtype

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return l2norm(x, self.eps, self.output_dtype)


class LayerNorm(nn.Module):
    """Layer norm with fla's defaults: a weight, no bias."""

    is_rms_norm = False
    num_groups = 1
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        hidden_size: int,
        elementwise_affine: bool = True,
        bias: bool = False,
        eps: float = 1e-5,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.hidden_size, self.elementwise_affine, self.eps = hidden_size, elementwise_affine, eps
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        weight = nn.Parameter(torch.ones(hidden_size, **made)) if elementwise_affine else None
        offset = (
            nn.Parameter(torch.zeros(hidden_size, **made)) if weight is not None and bias else None
        )
        self.register_parameter("weight", weight)
        self.register_parameter("bias", offset)

    def reset_parameters(self) -> None:
        """Set the weight to one and the bias to zero."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """Size and epsilon."""
        return f"{self.hidden_size}, eps={self.eps}"

    def forward(
        self,
        x: Tensor,
        residual: Tensor | None = None,
        prenorm: bool = False,
        residual_in_fp32: bool = False,
    ) -> Normed:
        """Normalise x [..., hidden_size]."""
        how = (residual, self.eps, prenorm, residual_in_fp32, self.is_rms_norm, self.num_groups)
        return group_norm(x, self.weight, self.bias, *how)


class RMSNorm(LayerNorm):
    """Root-mean-square norm."""

    is_rms_norm = True


class GroupNorm(LayerNorm):
    """Norm of equal groups of the last axis."""

    def __init__(
        self,
        num_groups: int,
        hidden_size: int,
        elementwise_affine: bool = True,
        bias: bool = False,
        eps: float = 1e-5,
        is_rms_norm: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if hidden_size % num_groups:
            raise UserError(f"hidden_size {hidden_size} is not a multiple of {num_groups} groups.")
        super().__init__(hidden_size, elementwise_affine, bias, eps, device, dtype)
        self.num_groups, self.is_rms_norm = num_groups, is_rms_norm


class FusedLayerNormGated(LayerNorm):
    """Layer norm times an activated gate ('swish', 'silu' or 'sigmoid')."""

    def __init__(
        self,
        hidden_size: int,
        elementwise_affine: bool = True,
        bias: bool = False,
        activation: str = "swish",
        eps: float = 1e-5,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if activation not in GATES:
            raise UserError(f"activation {activation!r} is not known; use one of {list(GATES)}.")
        super().__init__(hidden_size, elementwise_affine, bias, eps, device, dtype)
        self.activation = activation

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        g: Tensor,
        residual: Tensor | None = None,
        prenorm: bool = False,
        residual_in_fp32: bool = False,
    ) -> Normed:
        """Normalise x [..., hidden_size] and multiply by the gate of the same shape."""
        how = (self.activation, residual, prenorm, residual_in_fp32, self.eps, self.is_rms_norm)
        return rms_norm_gated(x, g, self.weight, self.bias, *how)


class FusedRMSNormGated(FusedLayerNormGated):
    """Root-mean-square norm times an activated gate."""

    is_rms_norm = True

    def __init__(
        self,
        hidden_size: int,
        elementwise_affine: bool = True,
        eps: float = 1e-5,
        activation: str = "swish",
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(hidden_size, elementwise_affine, False, activation, eps, device, dtype)


FusedLayerNormSwishGate = FusedLayerNormGated
FusedRMSNormSwishGate = FusedRMSNormGated


class RMSNormGated(nn.Module):
    """The gated norm of Mamba 2 (see `rmsnorm_fn`)."""

    def __init__(
        self,
        hidden_size: int,
        eps: float = 1e-5,
        group_size: int | None = None,
        norm_before_gate: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.eps, self.group_size, self.norm_before_gate = eps, group_size, norm_before_gate
        self.weight = nn.Parameter(torch.ones(hidden_size, device=device, dtype=dtype))

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """Normalise x [..., hidden_size] with the optional gate z."""
        how = (self.eps, self.group_size, self.norm_before_gate)
        return rmsnorm_fn(x, self.weight, None, z, *how)
