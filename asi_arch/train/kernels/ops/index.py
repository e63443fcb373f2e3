"""Sequence bookkeeping; stands in for `fla.ops.utils` and `fla.ops.utils.index`."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "prepare_cu_seqlens_from_lens",
    "prepare_cu_seqlens_from_mask",
    "prepare_lens",
    "prepare_lens_from_mask",
    "prepare_position_ids",
    "prepare_sequence_ids",
]


def prepare_lens(cu_seqlens: Tensor) -> Tensor:
    """Length of each packed sequence, [N]."""
    return cu_seqlens.diff()


def prepare_lens_from_mask(mask: Tensor) -> Tensor:
    """Number of real tokens in each row of a mask [B, T]."""
    return mask.sum(-1, dtype=torch.int32)


def prepare_cu_seqlens_from_lens(lens: Tensor, dtype: torch.dtype | None = torch.int32) -> Tensor:
    """Bounds [N + 1] of sequences with the given lengths."""
    return F.pad(lens.cumsum(0, dtype=dtype), (1, 0))


def prepare_cu_seqlens_from_mask(mask: Tensor, dtype: torch.dtype | None = torch.int32) -> Tensor:
    """Bounds of the rows of a mask once padding is taken out."""
    return prepare_cu_seqlens_from_lens(prepare_lens_from_mask(mask), dtype)


def prepare_position_ids(cu_seqlens: Tensor, cu_seqlens_cpu: Tensor | None = None) -> Tensor:
    """Position of each packed token in its own sequence, [T]."""
    starts = cu_seqlens[:-1].repeat_interleave(cu_seqlens.diff())
    return torch.arange(len(starts), dtype=cu_seqlens.dtype) - starts


def prepare_sequence_ids(cu_seqlens: Tensor, cu_seqlens_cpu: Tensor | None = None) -> Tensor:
    """Index of each packed token's sequence, [T]."""
    lens = cu_seqlens.diff()
    return torch.arange(len(lens), dtype=cu_seqlens.dtype).repeat_interleave(lens)
