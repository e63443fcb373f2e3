"""Score matrices under per-channel decay, safe for any decay strength.

score[i, j] = sum_d row[i, d] * key[j, d] * exp(cum[i, d] - cum[j, d])   for i >= j, else 0

Splitting the exponential into exp(cum[i]) * exp(-cum[j]) overflows when the decay is strong.
Here the chunk is halved again and again; each off-diagonal block is one matrix product whose
two factors are taken relative to the last position of its left half, so that with decays
(cum falling) both exponents are <= 0.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Level(NamedTuple):
    """One size of block: a view of the scores and the two scaled factors of every block."""

    half: int
    block: Tensor
    """[M, R, n, s, s], a view into the score matrix."""
    rows: Tensor
    """[M, R, n, s, K], rows of the right halves, decayed from the reference."""
    keys: Tensor
    """[M, 1, n, s, K], keys of the left halves, decayed to the reference."""
    row_decay: Tensor
    key_decay: Tensor


def _halves(x: Tensor, half: int) -> Tensor:
    return x.view(*x.shape[:-2], -1, 2, half, x.shape[-1])


def _levels(scores: Tensor, rows: Tensor, keys: Tensor, cum: Tensor) -> Iterator[_Level]:
    """Yield the blocks below the diagonal, from the largest to single entries."""
    size = scores.shape[-1]
    half = size // 2
    while half:
        cum_h = _halves(cum.unsqueeze(1), half)
        reference = cum_h[..., 0, -1:, :]
        row_decay = (cum_h[..., 1, :, :] - reference).exp_()
        key_decay = (reference - cum_h[..., 0, :, :]).exp_()
        yield _Level(
            half,
            _lower_blocks(scores, half),
            _halves(rows, half)[..., 1, :, :] * row_decay,
            _halves(keys.unsqueeze(1), half)[..., 0, :, :] * key_decay,
            row_decay,
            key_decay,
        )
        half //= 2


def _lower_blocks(scores: Tensor, half: int) -> Tensor:
    """View the [half, half] blocks at (right half, left half) of every pair of halves."""
    m, r, size, _ = scores.shape
    stride_m, stride_r, stride_i, stride_j = scores.stride()
    step = 2 * half * (stride_i + stride_j)
    return scores.as_strided(
        (m, r, size // (2 * half), half, half),
        (stride_m, stride_r, step, stride_i, stride_j),
        scores.storage_offset() + half * stride_i,
    )


class _DecayedScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, keys: Tensor, cum: Tensor) -> Tensor:
        ctx.save_for_backward(rows, keys, cum)
        scores = rows.new_zeros(*rows.shape[:-1], rows.shape[-2])
        scores.diagonal(dim1=-2, dim2=-1).copy_((rows * keys.unsqueeze(1)).sum(-1))
        for level in _levels(scores, rows, keys, cum):
            level.block.copy_(level.rows @ level.keys.transpose(-1, -2))
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, keys, cum = ctx.saved_tensors
        (grad,) = grads
        d_rows, d_keys = torch.zeros_like(rows), torch.zeros_like(keys)
        for level in _levels(grad, rows, keys, cum):
            right = _halves(d_rows, level.half)[..., 1, :, :]
            right.addcmul_(level.block @ level.keys, level.row_decay)
            left = _halves(d_keys.unsqueeze(1), level.half)[..., 0, :, :]
            pulled = (level.block.transpose(-1, -2) @ level.rows).sum(1, keepdim=True)
            left.addcmul_(pulled, level.key_decay)
        # a score grows with exp(cum_i) as with its row, and falls with exp(cum_j) as its key does
        d_cum = (rows * d_rows).sum(1) - keys * d_keys
        on_diagonal = grad.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
        d_rows.addcmul_(on_diagonal, keys.unsqueeze(1))
        d_keys += (on_diagonal * rows).sum(1)
        return d_rows, d_keys, d_cum


def decayed_scores(rows: Tensor, keys: Tensor, cum: Tensor) -> Tensor:
    """Return the causal scores of R kinds of rows against the keys of their chunk.

    rows [..., R, C, K], keys and cum [..., C, K]; C is a power of two; cum is the log decay
    accumulated from the start of the chunk. Returns [..., R, C, C], zero above the diagonal.
    """
    r, size, width = rows.shape[-3:]
    flat = (
        rows.reshape(-1, r, size, width),
        keys.reshape(-1, size, width),
        cum.reshape(-1, size, width),
    )
    scores: Tensor = _DecayedScores.apply(*flat)  # type: ignore[no-untyped-call]
    return scores.view(*rows.shape[:-1], size)
