"""Token shift; stands in for `fla.modules.token_shift`."""

import torch
from torch import Tensor

__all__ = ["token_shift"]


def token_shift(
    x: Tensor,
    cu_seqlens: Tensor | None = None,
    cache: Tensor | None = None,
    output_cache: bool = False,
    chunk_indices: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return x[t - 1] - x[t] for x [B, T, D]; before the first token comes the cache or zero.

    With cu_seqlens the row holds N sequences. The cache [N, D] is each sequence's last token.
    """
    if cu_seqlens is None:
        first = torch.zeros_like(x[:, :1]) if cache is None else cache.view_as(x[:, :1])
        delta = torch.cat((first, x[:, :-1]), 1) - x
        last = x[:, -1]
    else:
        starts = cu_seqlens[:-1].long()
        before = x.roll(1, 1)[0]
        before[starts] = 0 if cache is None else cache.view(len(starts), -1).to(x.dtype)
        delta = before.unsqueeze(0) - x
        last = x[0, cu_seqlens[1:].long() - 1]
    return (delta, last) if output_cache else delta
