"""Chunk layout, and the parts of a chunk that do not depend on the state.

A sequence [B, T, H, ...] is cut into N chunks of C tokens, laid out as [N, B*H, C, ...]: the
chunks are the outermost axis because only the loop over the state walks along it.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from asi_arch.train.kernels.halving import decayed_scores


def chunk_length(length: int, width: int) -> int:
    """Tokens in a chunk, a power of two; 32 is the faster one for keys of up to 64 channels."""
    return min(32 if width <= 64 else 64, 1 << (length - 1).bit_length())


def to_chunks(x: Tensor, size: int) -> Tensor:
    """Cut [B, T, H, ...] into [N, B*H, C, ...], padding the end with zeros."""
    short = -x.shape[1] % size
    if short:
        x = F.pad(x, (0, 0) * (x.dim() - 2) + (0, short))
    batch, length, heads, *rest = x.shape
    x = x.reshape(batch, length // size, size, heads, *rest)
    return x.transpose(2, 3).transpose(0, 1).reshape(-1, batch * heads, size, *rest)


def from_chunks(x: Tensor, batch: int, length: int) -> Tensor:
    """Undo `to_chunks` for values: [N, B*H, C, V] to [B, T, H, V]."""
    count, _, size, width = x.shape
    x = x.view(count, batch, -1, size, width).transpose(0, 1).transpose(2, 3)
    return x.flatten(1, 2)[:, :length].contiguous()


class Decayed(NamedTuple):
    """R kinds of rows against the keys of their chunk, under the decay inside it."""

    scores: Tensor
    """[N, B*H, R, C, C], causal."""
    rows_in: Tensor
    """[N, B*H, R, C, K], the rows as they read the state that enters the chunk."""
    keys_out: Tensor
    """[N, B*H, C, K], the keys as they write the state that leaves the chunk."""
    kept: Tensor | None
    """What is left of the entering state: [N, B*H, 1 or K, 1]; None means all of it."""


def decay_chunks(rows: Tensor, keys: Tensor, decay: Tensor | None) -> Decayed:
    """Prepare chunks for the state loop.

    rows [N, B*H, R, C, K]; keys [N, B*H, C, K]; decay is the log decay of each step:
    None, [N, B*H, C] (one for the head) or [N, B*H, C, K] (one for each key channel).
    """
    if decay is None:
        return Decayed(_products(rows, keys).tril(), rows, keys, None)
    if decay.dim() == 3:
        return _by_head(rows, keys, decay.cumsum(-1))
    cum = decay.cumsum(-2)
    last = cum[..., -1:, :]
    return Decayed(
        decayed_scores(rows, keys, cum),
        rows * cum.exp().unsqueeze(-3),
        keys * (last - cum).exp(),
        last.exp().transpose(-1, -2),
    )


def _by_head(rows: Tensor, keys: Tensor, cum: Tensor) -> Decayed:
    size = cum.shape[-1]
    future = torch.ones(size, size, dtype=torch.bool, device=cum.device).triu(1)
    ratio = (cum.unsqueeze(-1) - cum.unsqueeze(-2)).masked_fill(future, float("-inf")).exp()
    last = cum[..., -1:]
    return Decayed(
        _products(rows, keys) * ratio.unsqueeze(-3),
        rows * cum.exp()[..., None, :, None],
        keys * (last - cum).exp().unsqueeze(-1),
        last.exp().unsqueeze(-1),
    )


def _products(rows: Tensor, keys: Tensor) -> Tensor:
    flat = rows.flatten(-3, -2) @ keys.transpose(-1, -2)
    return flat.view(*rows.shape[:-1], keys.shape[-2])
