"""The two recurrences behind every operator, in chunked matrix form.

With S the state [K, V] of one head, a_t = exp(log decay) and k, v, q one token:

- additive:  S = diag(a) S + k v^T;                                    o = S^T q
- delta:     S = diag(a) S + beta k (v - k^T diag(a) S)^T;             o = S^T q

Sources: linear attention arXiv 2006.16236, GLA arXiv 2312.06635 (chunked form), DeltaNet arXiv
2406.06484 (WY form), Gated DeltaNet arXiv 2412.06464, Kimi Delta Attention arXiv 2510.26692.
Tokens are [B, T, H, ...], states [B, H, K, V]; all in one floating type. Padding a chunk with
zeros (k = 0, beta = 0, log decay = 0) leaves the state as it is.
"""

import torch
from torch import Tensor

from asi_arch.train.kernels.chunks import chunk_length, decay_chunks, from_chunks, to_chunks


def additive(
    q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Decayed linear attention; decay is a log: None, [B, T, H] or [B, T, H, K]."""
    batch, length = q.shape[:2]
    size = chunk_length(length, k.shape[-1])
    q, k, v = (to_chunks(x, size) for x in (q, k, v))
    part = decay_chunks(q.unsqueeze(2), k, None if decay is None else to_chunks(decay, size))
    written = part.keys_out.transpose(-1, -2) @ v
    kept = [None] * len(written) if part.kept is None else part.kept.unbind()
    before = []
    start = _start(state, written)
    for share, added in zip(kept, written.unbind(), strict=True):
        before.append(start)
        start = added + (start if share is None else start * share)
    out = part.scores.squeeze(2) @ v + part.rows_in.squeeze(2) @ torch.stack(before)
    return from_chunks(out, batch, length), _heads(start, batch)


def delta(
    q: Tensor, k: Tensor, v: Tensor, beta: Tensor, decay: Tensor | None, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the delta rule; beta [B, T, H]; decay as for `additive`.

    One triangular solve per chunk gives the pseudo-values u = x_v - x_k S for any entering
    state S; what does not depend on S is done for all chunks at once, and the loop over the
    chunks is one product with a [K, K] transition.
    """
    batch, length = q.shape[:2]
    width = k.shape[-1]
    size = chunk_length(length, width)
    q, k, v, beta = (to_chunks(x, size) for x in (q, k, v, beta.unsqueeze(-1)))
    rows = torch.stack((q, k * beta), dim=2)
    part = decay_chunks(rows, k, None if decay is None else to_chunks(decay, size))
    scores, overlap = part.scores.unbind(2)
    q_in, k_in = part.rows_in.unbind(2)
    solved = torch.linalg.solve_triangular(
        overlap, torch.cat((k_in, v * beta), -1), upper=False, unitriangular=True
    )
    read_k, read_v = (scores @ solved).split((width, v.shape[-1]), -1)
    moved_k, written = (part.keys_out.transpose(-1, -2) @ solved).split((width, v.shape[-1]), -1)
    eye = torch.eye(width, dtype=k.dtype, device=k.device)
    transition = (eye if part.kept is None else eye * part.kept) - moved_k
    before = []
    start = _start(state, written)
    for kept, added in zip(transition.unbind(), written.unbind(), strict=True):
        before.append(start)
        start = torch.baddbmm(added, kept, start)
    out = read_v + (q_in - read_k) @ torch.stack(before)
    return from_chunks(out, batch, length), _heads(start, batch)


def _start(state: Tensor | None, written: Tensor) -> Tensor:
    """Return the state before the first chunk, [B*H, K, V]."""
    return torch.zeros_like(written[0]) if state is None else state.flatten(0, 1)


def _heads(state: Tensor, batch: int) -> Tensor:
    """Return [B*H, K, V] as [B, H, K, V]."""
    return state.view(batch, -1, *state.shape[1:])
