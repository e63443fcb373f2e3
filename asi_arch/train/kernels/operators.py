"""The two operators that all families of `kernels.ops` are settings of."""

from typing import Any

import torch
from torch import Tensor

from asi_arch.errors import UserError
from asi_arch.train.kernels.cores import additive, delta
from asi_arch.train.kernels.sequence import check_tokens, expect, run


def additive_operator(
    q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None, scale: float | None, **settings: Any
) -> tuple[Tensor, Tensor | None]:
    """Decayed linear attention; decay is None, [B, T, H] or [B, T, H, K]; settings as in `run`."""
    check_tokens(q, k, v)
    _check_decay(decay, q, v)
    q = q.to(_computed_in(v)) * _scale(scale, k)
    q, k = (_repeat_heads(x, v.shape[2]) for x in (q, k))
    return run(additive, (q, k, v, decay), **settings)


def delta_operator(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    decay: Tensor | None,
    scale: float | None,
    normalise: bool,
    **settings: Any,
) -> tuple[Tensor, Tensor | None]:
    """Return the delta rule; normalise gives q and k unit length first; settings as in `run`."""
    check_tokens(q, k, v)
    expect("beta", beta, tuple(v.shape[:3]))
    _check_decay(decay, q, v)
    factor = _scale(scale, k)
    q, k = (x.to(_computed_in(v)) for x in (q, k))
    if normalise:
        q, k = l2_normalise(q, factor), l2_normalise(k)
    else:
        q = q * factor
    q, k = (_repeat_heads(x, v.shape[2]) for x in (q, k))
    return run(delta, (q, k, v, beta, decay), **settings)


def l2_normalise(x: Tensor, length: float = 1.0, eps: float = 1e-6) -> Tensor:
    """Scale vectors of the last axis to a length: x * length / sqrt(|x|^2 + eps)."""
    return x * (torch.rsqrt(x.square().sum(-1, keepdim=True) + eps) * length)


def state_first(state_v_first: bool, old: dict[str, Any]) -> bool:
    """Read the layout switch under its present and its former name; refuse removed settings.

    fla ignores other unknown keywords (chunk_size changes the speed only), so they pass.
    """
    if "head_first" in old:
        raise UserError("head_first was removed from fla; pass (batch, length, heads, width).")
    return bool(old.get("transpose_state_layout", state_v_first))


def _scale(scale: float | None, k: Tensor) -> float:
    return float(k.shape[-1] ** -0.5) if scale is None else scale


def _computed_in(v: Tensor) -> torch.dtype:
    return torch.promote_types(v.dtype, torch.float32)


def _check_decay(decay: Tensor | None, q: Tensor, v: Tensor) -> None:
    if decay is not None:
        shape = tuple(v.shape[:3])
        expect("the log decay", decay, shape if decay.dim() == 3 else (*shape, q.shape[-1]))


def _repeat_heads(x: Tensor, heads: int) -> Tensor:
    """Give every value head its own copy of the query or key head it shares."""
    return x if x.shape[2] == heads else x.repeat_interleave(heads // x.shape[2], dim=2)
