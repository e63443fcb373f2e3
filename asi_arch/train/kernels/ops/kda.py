"""Kimi Delta Attention (arXiv 2510.26692); stands in for `fla.ops.kda`."""

from typing import Any

import torch
from torch import Tensor

from asi_arch.errors import UserError
from asi_arch.train.kernels.operators import delta_operator, state_first
from asi_arch.train.kernels.ops.gates import fused_kda_gate, write_strength

__all__ = ["chunk_kda", "fused_recurrent_kda"]


def chunk_kda(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor,
    beta: Tensor,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    use_gate_in_kernel: bool = False,
    use_beta_sigmoid_in_kernel: bool = False,
    allow_neg_eigval: bool = False,
    safe_gate: bool = False,
    lower_bound: float | None = None,
    disable_recompute: bool = False,
    return_intermediate_states: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    cu_seqlens_cpu: Tensor | None = None,
    cp_context: None = None,
    use_graph: bool = False,
    max_num_seqs: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Return (o [B, T, HV, V], final state [N, HV, K, V] or None).

    q, k [B, T, H, K]; v [B, T, HV, V] with HV a multiple of H; g (log decay, or its raw gate
    with use_gate_in_kernel) [B, T, HV, K]; beta [B, T, HV]; scale defaults to K ** -0.5.
    """
    if return_intermediate_states:
        raise UserError("return_intermediate_states has no CPU implementation; leave it False.")
    return fused_recurrent_kda(
        q,
        k,
        v,
        g,
        beta,
        kwargs.pop("A_log", None),
        kwargs.pop("dt_bias", None),
        scale,
        initial_state,
        output_final_state,
        use_qk_l2norm_in_kernel,
        use_gate_in_kernel,
        use_beta_sigmoid_in_kernel,
        allow_neg_eigval,
        lower_bound,
        state_v_first,
        cu_seqlens,
        **kwargs,
    )


def fused_recurrent_kda(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor,
    beta: Tensor,
    A_log: Tensor | None = None,
    dt_bias: Tensor | None = None,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    use_gate_in_kernel: bool = False,
    use_beta_sigmoid_in_kernel: bool = False,
    allow_neg_eigval: bool = False,
    lower_bound: float | None = None,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """As `chunk_kda`; A_log [HV] and dt_bias [HV * K] are those of the gate."""
    if use_gate_in_kernel:
        precise = torch.promote_types(g.dtype, torch.float32)
        g = fused_kda_gate(g, A_log, dt_bias, lower_bound, precise)
    return delta_operator(
        q,
        k,
        v,
        write_strength(beta, use_beta_sigmoid_in_kernel, allow_neg_eigval),
        g,
        scale,
        use_qk_l2norm_in_kernel,
        initial_state=initial_state,
        output_final_state=output_final_state,
        state_v_first=state_first(state_v_first, kwargs),
        cu_seqlens=cu_seqlens,
    )
