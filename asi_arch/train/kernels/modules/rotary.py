"""Rotary position embedding (arXiv 2104.09864); stands in for `fla.modules.rotary`."""

import torch
from torch import Tensor, nn

from asi_arch.errors import UserError

__all__ = ["RotaryEmbedding", "rotary_embedding"]


def rotary_embedding(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    interleaved: bool = False,
    inplace: bool = False,
    seqlen_offsets: int | Tensor = 0,
    cu_seqlens: Tensor | None = None,
    chunk_indices: Tensor | None = None,
) -> Tensor:
    """Rotate pairs of channels of x [B, T, H, D] by the angle of their position.

    cos and sin [length, R / 2] rotate the first R channels: halves against each other, or
    neighbours if interleaved. Offsets are one number or one for each sequence.
    """
    where = _positions(x, seqlen_offsets, cu_seqlens)
    cos, sin = (t[where].unsqueeze(-2) for t in (cos, sin))
    width = 2 * cos.shape[-1]
    turned, rest = x[..., :width], x[..., width:]
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)
    else:
        a, b = turned.chunk(2, -1)
        turned = torch.cat((a * cos - b * sin, b * cos + a * sin), -1)
    return torch.cat((turned, rest), -1) if rest.shape[-1] else turned


def _positions(x: Tensor, offsets: int | Tensor, cu_seqlens: Tensor | None) -> Tensor | slice:
    """Index of each token's angle: a slice, [B, T] or (packed) [T]."""
    length = x.shape[1]
    if cu_seqlens is not None:
        starts = cu_seqlens[:-1] if isinstance(offsets, int) else cu_seqlens[:-1] - offsets
        shift = offsets if isinstance(offsets, int) else 0
        return (
            torch.arange(length, device=x.device)
            - starts.repeat_interleave(cu_seqlens.diff())
            + shift
        )
    if isinstance(offsets, int):
        return slice(offsets, offsets + length)
    return offsets.unsqueeze(-1) + torch.arange(length, device=x.device)


class RotaryEmbedding(nn.Module):
    """Rotates queries and keys by their position; angles are kept for the longest call."""

    inv_freq: Tensor

    def __init__(
        self,
        dim: int,
        base: float = 10000.0,
        scale_base: float | None = None,
        interleaved: bool = False,
        pos_idx_in_fp32: bool = True,
        device: torch.device | None = None,
    ) -> None:
        super().__init__()
        if dim % 2:
            raise UserError(f"The rotary dimension {dim} is odd; give an even one.")
        if scale_base is not None:
            raise UserError("scale_base (XPos) has no CPU implementation; leave it None.")
        self.dim, self.base, self.interleaved = dim, float(base), interleaved
        exponents = torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim
        self.register_buffer("inv_freq", self.base**-exponents, persistent=False)
        self._angles = torch.empty(0, dim // 2, device=device)

    def forward(
        self,
        q: Tensor,
        k: Tensor,
        seqlen_offset: int | Tensor = 0,
        cu_seqlens: Tensor | None = None,
        max_seqlen: int | None = None,
        chunk_indices: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return q [B, T, H, D] and k [B, T, Hk, D], rotated."""
        offset = seqlen_offset if isinstance(seqlen_offset, int) else int(seqlen_offset.max())
        length = max(q.shape[1] + offset, max_seqlen or 0)
        if len(self._angles) < length or self._angles.device != q.device:
            steps = torch.arange(length, device=q.device, dtype=torch.float32)
            self._angles = torch.outer(steps, self.inv_freq.float())
        cos, sin = (f(self._angles).to(q.dtype) for f in (torch.cos, torch.sin))
        how = (self.interleaved, False, seqlen_offset, cu_seqlens)
        return rotary_embedding(q, cos, sin, *how), rotary_embedding(k, cos, sin, *how)
