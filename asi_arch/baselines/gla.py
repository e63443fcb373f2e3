"""Gated linear attention: every channel of the keys forgets at a rate of its own.

Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training", arXiv
2312.06635. As published: keys half as wide as the model, a decay of low rank whose logarithm is a
sixteenth of a log-sigmoid, an output gate, no short convolutions.
"""

from typing import Any

import torch.nn.functional as F
from einops import rearrange
from fla.modules import FusedRMSNormGated
from fla.ops.gla import chunk_gla
from torch import Tensor, nn


class GatedLinearAttention(nn.Module):
    """Linear attention with decaying channels, [batch, length, hidden_size] to the same shape."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        layer_idx: int | None = None,
        expand_k: float = 0.5,
        gate_rank: int = 16,
        norm_eps: float = 1e-5,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.layer_idx = layer_idx
        keys = round(expand_k * hidden_size)
        self.q_proj = nn.Linear(hidden_size, keys, bias=False)
        self.k_proj = nn.Linear(hidden_size, keys, bias=False)
        self.v_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.g_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.decay_proj = nn.Sequential(
            nn.Linear(hidden_size, gate_rank, bias=False), nn.Linear(gate_rank, keys)
        )
        self.o_norm = FusedRMSNormGated(hidden_size // num_heads, eps=norm_eps)
        self.o_proj = nn.Linear(hidden_size, hidden_size, bias=False)

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
        """Mix tokens in linear time.

        attention_mask [batch, length] marks real tokens, cu_seqlens where packed sequences end;
        with use_cache, past_key_values is fla's cache.
        """
        x = hidden_states
        log_decay = F.logsigmoid(self.decay_proj(x).float()) / 16
        k = self.k_proj(x)
        if attention_mask is not None:
            log_decay, k = (y * attention_mask.unsqueeze(-1) for y in (log_decay, k))
        past = past_key_values if use_cache else None
        index = self.layer_idx or 0
        kept = past[index] if past is not None and len(past) > index else {}
        mixed = (self.q_proj(x), k, self.v_proj(x), log_decay, self.g_proj(x))
        q, k, v, log_decay, gate = (
            rearrange(y, "b t (h d) -> b t h d", h=self.num_heads) for y in mixed
        )
        out, state = chunk_gla(
            q,
            k,
            v,
            log_decay,
            initial_state=kept.get("recurrent_state"),
            output_final_state=past is not None,
            cu_seqlens=cu_seqlens,
        )
        if past is not None:
            past.update(state, layer_idx=index, offset=x.shape[1])
        out = rearrange(self.o_norm(out, gate), "b t h d -> b t (h d)")
        return self.o_proj(out), None, past_key_values
