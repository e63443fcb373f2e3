"""Gated delta rule (arXiv 2412.06464); stands in for `fla.ops.gated_delta_rule`."""

from typing import Any

import torch
from torch import Tensor

from asi_arch.errors import UserError
from asi_arch.train.kernels.operators import delta_operator, state_first
from asi_arch.train.kernels.ops.gates import fused_gdn_gate, write_strength

__all__ = [
    "chunk_gated_delta_rule",
    "chunk_gdn",
    "fused_recurrent_gated_delta_rule",
    "fused_recurrent_gdn",
]


def chunk_gated_delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor,
    beta: Tensor,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    use_beta_sigmoid_in_kernel: bool = False,
    allow_neg_eigval: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    cu_seqlens_cpu: Tensor | None = None,
    chunk_indices: Tensor | None = None,
    cp_context: None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Return (o [B, T, HV, V], final state [N, HV, K, V] or None).

    q, k [B, T, H, K]; v [B, T, HV, V] with HV a multiple of H; g (log decay, or its raw gate
    with use_gate_in_kernel, A_log, dt_bias) and beta [B, T, HV]; scale defaults to K ** -0.5.
    """
    if kwargs.get("use_gate_in_kernel"):
        g = _gate(g, kwargs.get("A_log"), kwargs.get("dt_bias"))
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


def fused_recurrent_gated_delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor | None = None,
    gk: Tensor | None = None,
    gv: Tensor | None = None,
    beta: Tensor | None = None,
    scale: float | None = None,
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    use_gate_in_kernel: bool = False,
    A_log: Tensor | None = None,
    dt_bias: Tensor | None = None,
    use_beta_sigmoid_in_kernel: bool = False,
    allow_neg_eigval: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """As `chunk_gated_delta_rule`; gk [B, T, HV, K] is a log decay of each key channel."""
    if gv is not None:
        raise UserError("gv (decay of value channels) has no CPU implementation; use g or gk.")
    if g is not None and use_gate_in_kernel:
        g = _gate(g, A_log, dt_bias)
    if g is not None and gk is not None:
        gk = gk + g.unsqueeze(-1)
    beta = v.new_ones(v.shape[:3]) if beta is None else beta
    return delta_operator(
        q,
        k,
        v,
        write_strength(beta, use_beta_sigmoid_in_kernel, allow_neg_eigval),
        g if gk is None else gk,
        scale,
        use_qk_l2norm_in_kernel,
        initial_state=initial_state,
        output_final_state=output_final_state,
        state_v_first=state_first(state_v_first, kwargs),
        cu_seqlens=cu_seqlens,
    )


def _gate(g: Tensor, A_log: Tensor | None, dt_bias: Tensor | None) -> Tensor:
    if A_log is None:
        raise UserError("use_gate_in_kernel=True needs A_log (one value for each head).")
    return fused_gdn_gate(g, A_log, dt_bias, torch.promote_types(g.dtype, torch.float32))


chunk_gdn = chunk_gated_delta_rule
fused_recurrent_gdn = fused_recurrent_gated_delta_rule
