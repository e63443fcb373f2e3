"""Softmax attention with rotary positions: the Transformer's token mixer.

Vaswani et al., "Attention Is All You Need", arXiv 1706.03762; rotary position embedding: Su et
al., "RoFormer", arXiv 2104.09864. Its cost grows with the square of the length: a reference for
quality, not a linear-time candidate.
"""

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from fla.modules import RotaryEmbedding
from torch import Tensor, nn


class SoftmaxAttention(nn.Module):
    """Causal multi-head attention, [batch, length, hidden_size] to the same shape."""

    def __init__(
        self, hidden_size: int, num_heads: int, layer_idx: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__()
        self.head_dim = hidden_size // num_heads
        self.layer_idx = layer_idx
        self.q_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.k_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.v_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.o_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.rotary = RotaryEmbedding(self.head_dim)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        cu_seqlens: Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None, Any]:
        """Attend to this and earlier tokens.

        attention_mask [batch, length] marks real tokens, cu_seqlens where packed sequences end;
        with use_cache, past_key_values is fla's cache.
        """
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (
            rearrange(proj(hidden_states), "b t (h d) -> b t h d", d=self.head_dim)
            for proj in projections
        )
        past = past_key_values if use_cache else None
        index = self.layer_idx or 0
        seen = 0 if past is None else past.get_seq_length(index)
        q, k = self.rotary(q, k, seqlen_offset=seen, cu_seqlens=cu_seqlens)
        if past is not None:
            new = (k.flatten(2), v.flatten(2))
            kept = past.update(attn_state=new, layer_idx=index, offset=q.shape[1])["attn_state"]
            k, v = (rearrange(x, "b t (h d) -> b t h d", d=self.head_dim) for x in kept)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        if attention_mask is None and cu_seqlens is None and not seen:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            visible = _visible(q.shape[2], k, attention_mask, cu_seqlens)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        return self.o_proj(rearrange(out, "b h t d -> b t (h d)")), None, past_key_values


def _visible(
    queries: int, k: Tensor, attention_mask: Tensor | None, cu_seqlens: Tensor | None
) -> Tensor:
    """Let each of the last tokens see itself and the real ones before it in its sequence."""
    place = torch.arange(k.shape[2], device=k.device)
    now = place[-queries:, None]
    visible = place <= now
    if cu_seqlens is not None:
        sequence = torch.searchsorted(cu_seqlens, place, right=True)
        visible = visible & (sequence == sequence[-queries:, None])
    if attention_mask is not None:
        visible = visible & attention_mask.bool()[:, None, None, :] | (place == now)
    return visible
