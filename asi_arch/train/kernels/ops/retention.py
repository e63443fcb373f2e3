"""Retention (RetNet, arXiv 2307.08621); stands in for `fla.ops.retention`."""

from typing import Any

import torch
from torch import Tensor

from asi_arch.train.kernels.ops.simple_gla import fused_recurrent_simple_gla, parallel_simple_gla

__all__ = [
    "chunk_retention",
    "fused_chunk_retention",
    "fused_recurrent_retention",
    "parallel_retention",
]


def retention_decay(heads: int) -> Tensor:
    """Log decay of each head: log(1 - 2 ** (-5 - head)), [H]."""
    exponent = -5.0 - torch.arange(heads, dtype=torch.float64)
    return torch.log1p(-torch.exp2(exponent))


def fused_recurrent_retention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    reverse: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Return (o [B, T, H, V], final state [N, H, K, V] or None).

    q, k [B, T, H, K]; v [B, T, H, V]; scale defaults to K ** -0.5.
    """
    return fused_recurrent_simple_gla(
        q,
        k,
        v,
        None,
        retention_decay(q.shape[2]),
        scale,
        initial_state,
        output_final_state,
        reverse,
        state_v_first,
        cu_seqlens,
        **kwargs,
    )


def chunk_retention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    cu_seqlens: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """As `fused_recurrent_retention`, forwards."""
    return fused_recurrent_retention(
        q, k, v, scale, initial_state, output_final_state, cu_seqlens=cu_seqlens, **kwargs
    )


def fused_chunk_retention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """As `fused_recurrent_retention`, forwards."""
    return chunk_retention(q, k, v, scale, initial_state, output_final_state, cu_seqlens)


def parallel_retention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    output_attentions: bool = False,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Return (o, None): the output of `chunk_retention` without a state."""
    decay = retention_decay(q.shape[2]).to(q.device).expand(q.shape[:3])
    return parallel_simple_gla(q, k, v, decay, scale, output_attentions, cu_seqlens)
