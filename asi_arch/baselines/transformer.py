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
        **kwargs: Any,
    ) -> tuple[Tensor, None, Any]:
        """Attend to this and earlier tokens; attention_mask [batch, length] marks real ones."""
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (
            rearrange(proj(hidden_states), "b t (h d) -> b t h d", d=self.head_dim)
            for proj in projections
        )
        q, k = self.rotary(q, k)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        if attention_mask is None:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=_visible(attention_mask))
        return self.o_proj(rearrange(out, "b h t d -> b t (h d)")), None, past_key_values


def _visible(attention_mask: Tensor) -> Tensor:
    """Let each token see itself and the real tokens before it: [batch, 1, length, length]."""
    length = attention_mask.shape[-1]
    past = torch.ones(length, length, dtype=torch.bool, device=attention_mask.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=attention_mask.device)
    return (past & attention_mask.bool()[:, None, None, :]) | itself
