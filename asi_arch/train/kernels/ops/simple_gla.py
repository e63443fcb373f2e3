"""Linear attention with one decay for a head; stands in for `fla.ops.simple_gla`."""

from typing import Any

from torch import Tensor

from asi_arch.errors import UserError
from asi_arch.train.kernels.operators import additive_operator, state_first

__all__ = [
    "chunk_simple_gla",
    "fused_chunk_simple_gla",
    "fused_recurrent_simple_gla",
    "parallel_simple_gla",
]


def fused_recurrent_simple_gla(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor | None = None,
    g_gamma: Tensor | None = None,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    reverse: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Return (o [B, T, H, V], final state [N, H, K, V] or None).

    q, k [B, T, H, K]; v [B, T, H, V]; g [B, T, H] is the log decay and g_gamma [H] one that
    does not depend on the data (both add up); scale defaults to K ** -0.5; reverse runs from
    the last token to the first.
    """
    decay = g
    if g_gamma is not None:
        constant = g_gamma.to(q.device).expand(q.shape[:3])
        decay = constant if g is None else g + constant
    return additive_operator(
        q,
        k,
        v,
        decay,
        scale,
        initial_state=initial_state,
        output_final_state=output_final_state,
        state_v_first=state_first(state_v_first, kwargs),
        cu_seqlens=cu_seqlens,
        reverse=reverse,
    )


def chunk_simple_gla(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor | None = None,
    g_gamma: Tensor | None = None,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    cu_seqlens_cpu: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """As `fused_recurrent_simple_gla`, forwards."""
    return fused_recurrent_simple_gla(
        q,
        k,
        v,
        g,
        g_gamma,
        scale,
        initial_state,
        output_final_state,
        False,
        state_v_first,
        cu_seqlens,
        **kwargs,
    )


def fused_chunk_simple_gla(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor | None = None,
    g_gamma: Tensor | None = None,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """As `fused_recurrent_simple_gla`, forwards."""
    return chunk_simple_gla(
        q,
        k,
        v,
        g,
        g_gamma,
        scale,
        initial_state,
        output_final_state,
        cu_seqlens=cu_seqlens,
    )


def parallel_simple_gla(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor | None = None,
    scale: float | None = None,
    output_attentions: bool = False,
    cu_seqlens: Tensor | None = None,
    cu_seqlens_cpu: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Return (o, None): the output of `chunk_simple_gla` without a state."""
    if output_attentions:
        raise UserError("output_attentions has no CPU implementation; leave it False.")
    return chunk_simple_gla(q, k, v, g, scale=scale, cu_seqlens=cu_seqlens)
