"""What all operators share: floating types, packed sequences, state layout, shape checks."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from asi_arch.errors import UserError

Core = Callable[..., tuple[Tensor, Tensor]]
"""A recurrence: (*tokens, state) -> (output, final state)."""


def run(
    core: Core,
    tokens: Sequence[Tensor | None],
    initial_state: Tensor | None = None,
    output_final_state: bool = False,
    *,
    state_v_first: bool = False,
    cu_seqlens: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Run a recurrence as an fla operator does.

    tokens are q, k, v and what else the core takes, each [B, T, ...] or None. Half inputs are
    computed in float32 and float64 in float64; the output has the type of v, the state that of
    the computation. With cu_seqlens [N + 1] the batch is one row that holds N sequences end to
    end, and states are [N, H, K, V] ([N, H, V, K] if state_v_first).
    """
    values = tokens[2]
    assert values is not None
    dtype = torch.promote_types(values.dtype, torch.float32)
    casted = [None if x is None else x.to(dtype) for x in tokens]
    state = None if initial_state is None else initial_state.to(dtype)
    if state is not None and state_v_first:
        state = state.transpose(-1, -2)
    with torch.autocast("cpu", enabled=False):
        if cu_seqlens is None:
            out, final = _one(core, casted, state, reverse)
        else:
            out, final = _packed(core, casted, state, cu_seqlens.tolist(), reverse)
    if state_v_first:
        final = final.transpose(-1, -2)
    return out.to(values.dtype), final.contiguous() if output_final_state else None


def _one(
    core: Core, tokens: Sequence[Tensor | None], state: Tensor | None, reverse: bool
) -> tuple[Tensor, Tensor]:
    if not reverse:
        return core(*tokens, state)
    out, final = core(*(None if x is None else x.flip(1) for x in tokens), state)
    return out.flip(1), final


def _packed(
    core: Core,
    tokens: Sequence[Tensor | None],
    state: Tensor | None,
    bounds: list[int],
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    """Run the sequences of one packed row apart."""
    k, v = tokens[1], tokens[2]
    assert k is not None
    assert v is not None
    count = len(bounds) - 1
    if v.shape[0] != 1:
        raise UserError(f"With cu_seqlens the batch size is {v.shape[0]}; flatten it to 1 first.")
    if state is None:
        state = v.new_zeros(count, v.shape[2], k.shape[-1], v.shape[-1])
    expect("initial_state", state, (count, *state.shape[1:]))
    outs, finals = [v[:, :0]], []
    for n, (begin, end) in enumerate(pairwise(bounds)):
        final = state[n : n + 1]
        if end > begin:
            part = [None if x is None else x[:, begin:end] for x in tokens]
            out, final = _one(core, part, final, reverse)
            outs.append(out)
        finals.append(final)
    return torch.cat(outs, 1), torch.cat(finals)


def expect(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse an argument of another shape, which broadcasting would quietly get wrong."""
    if tuple(x.shape) != shape:
        raise UserError(f"{name} has shape {tuple(x.shape)}; expected {shape}.")


def check_tokens(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Check q, k [B, T, H, K] and v [B, T, HV, V] with HV a multiple of H."""
    if q.dim() != 4 or v.dim() != 4:
        raise UserError(
            f"q and v have shapes {tuple(q.shape)} and {tuple(v.shape)}; "
            "expected (batch, length, heads, width)."
        )
    expect("k", k, tuple(q.shape))
    expect("v", v, (*q.shape[:2], *v.shape[2:]))
    if v.shape[2] % q.shape[2]:
        raise UserError(f"v has {v.shape[2]} heads; expected a multiple of q's {q.shape[2]}.")
