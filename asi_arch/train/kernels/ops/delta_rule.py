"""Delta rule (DeltaNet, arXiv 2406.06484); stands in for `fla.ops.delta_rule`."""

from typing import Any

from torch import Tensor

from asi_arch.errors import UserError
from asi_arch.train.kernels.operators import delta_operator, state_first

__all__ = ["chunk_delta_rule", "fused_chunk_delta_rule", "fused_recurrent_delta_rule"]


def chunk_delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    cu_seqlens: Tensor | None = None,
    cu_seqlens_cpu: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Return (o [B, T, H, V], final state [N, H, K, V] or None).

    q, k [B, T, H, K]; v [B, T, H, V]; beta [B, T, H]; scale defaults to K ** -0.5.
    """
    return delta_operator(
        q,
        k,
        v,
        beta,
        None,
        scale,
        use_qk_l2norm_in_kernel,
        initial_state=initial_state,
        output_final_state=output_final_state,
        state_v_first=state_first(False, kwargs),
        cu_seqlens=cu_seqlens,
    )


def fused_recurrent_delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor | None = None,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """As `chunk_delta_rule`; without beta every write is in full (beta = 1)."""
    return chunk_delta_rule(
        q,
        k,
        v,
        q.new_ones(q.shape[:3]) if beta is None else beta,
        scale,
        initial_state,
        output_final_state,
        use_qk_l2norm_in_kernel,
        cu_seqlens,
    )


def fused_chunk_delta_rule(**kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """Refuse, as fla does: it keeps the name only to say so."""
    raise UserError("fused_chunk_delta_rule was removed from fla; use chunk_delta_rule.")
