"""Gated linear attention (arXiv 2312.06635); stands in for `fla.ops.gla`."""

from typing import Any

from torch import Tensor

from asi_arch.errors import UserError
from asi_arch.train.kernels.operators import additive_operator, state_first

__all__ = ["chunk_gla", "fused_chunk_gla", "fused_recurrent_gla"]


def chunk_gla(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    cu_seqlens_cpu: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Return (o [B, T, H, V], final state [N, H, K, V] or None).

    q, k and g (log decay) [B, T, H, K]; v [B, T, H, V]; scale defaults to K ** -0.5.
    """
    return additive_operator(
        q,
        k,
        v,
        g,
        scale,
        initial_state=initial_state,
        output_final_state=output_final_state,
        state_v_first=state_v_first,
        cu_seqlens=cu_seqlens,
    )


def fused_recurrent_gla(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    gk: Tensor | None = None,
    gv: Tensor | None = None,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    reverse: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """As `chunk_gla`; reverse runs from the last token to the first."""
    if gv is not None:
        raise UserError("gv (decay of value channels) has no CPU implementation; use gk.")
    return additive_operator(
        q,
        k,
        v,
        gk,
        scale,
        initial_state=initial_state,
        output_final_state=output_final_state,
        state_v_first=state_first(state_v_first, kwargs),
        cu_seqlens=cu_seqlens,
        reverse=reverse,
    )


def fused_chunk_gla(**kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """Refuse, as fla does: it keeps the name only to say so."""
    raise UserError("fused_chunk_gla was removed from fla; use chunk_gla.")
