"""Linear attention (arXiv 2006.16236); stands in for `fla.ops.linear_attn`."""

import torch
import torch.nn.functional as F
from torch import Tensor

from asi_arch.train.kernels.operators import additive_operator

__all__ = ["chunk_linear_attn", "fused_chunk_linear_attn", "fused_recurrent_linear_attn"]

State = Tensor | tuple[Tensor, Tensor]
"""The sum of k v^T [N, H, K, V]; if normalised, with the sum of k [N, 1, H, K]."""


def fused_recurrent_linear_attn(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    initial_state: State | None = None,
    output_final_state: bool = False,
    reverse: bool = False,
    normalize: bool = False,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, State | tuple[Tensor | None, Tensor] | None]:
    """Return (o [B, T, H, V], final state or None).

    q, k [B, T, H, K]; v [B, T, H, V]; scale defaults to K ** -0.5. normalize divides by the
    same attention applied to ones, and always returns the sum of keys.
    """
    if normalize:
        return _normalised(
            q, k, v, scale, initial_state, output_final_state, reverse=reverse, bounds=cu_seqlens
        )
    assert not isinstance(initial_state, tuple), "a state with a sum of keys needs normalize=True"
    return additive_operator(
        q,
        k,
        v,
        None,
        scale,
        initial_state=initial_state,
        output_final_state=output_final_state,
        cu_seqlens=cu_seqlens,
        reverse=reverse,
    )


def _normalised(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None,
    state: State | None,
    output_final_state: bool,
    *,
    reverse: bool,
    bounds: Tensor | None,
) -> tuple[Tensor, tuple[Tensor | None, Tensor]]:
    """Carry the sum of keys as one more value channel that is always 1."""
    joint = None
    if state is not None:
        kv, keys = state if isinstance(state, tuple) else (state, None)
        column = kv.new_zeros(kv.shape[:3]) if keys is None else keys.squeeze(1)
        joint = torch.cat((kv, column.unsqueeze(-1).to(kv.dtype)), -1)
    out, final = additive_operator(
        q,
        k,
        F.pad(v.to(torch.promote_types(v.dtype, torch.float32)), (0, 1), value=1.0),
        None,
        scale,
        initial_state=joint,
        output_final_state=True,
        cu_seqlens=bounds,
        reverse=reverse,
    )
    assert final is not None
    out = out[..., :-1] / (out[..., -1:] + 1e-10)
    kv_final = final[..., :-1].contiguous() if output_final_state else None
    return out.to(v.dtype), (kv_final, final[..., -1].unsqueeze(1))


def chunk_linear_attn(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    initial_state: State | None = None,
    output_final_state: bool = False,
    normalize: bool = True,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, State | tuple[Tensor | None, Tensor] | None]:
    """As `fused_recurrent_linear_attn`, forwards, and normalised unless told otherwise."""
    return fused_recurrent_linear_attn(
        q,
        k,
        v,
        scale,
        initial_state,
        output_final_state,
        normalize=normalize,
        cu_seqlens=cu_seqlens,
    )


fused_chunk_linear_attn = chunk_linear_attn
