"""Retention: linear attention whose heads forget at fixed rates, with rotary positions.

Sun et al., "Retentive Network: A Successor to Transformer for Large Language Models", arXiv
2307.08621. Head h keeps the share 1 - 2 ** (-5 - h) of its state at each token. Values are as wide
as the model here (the paper doubles them), so that the parameters compare with the other baselines.
"""

from typing import Any

from einops import rearrange
from fla.modules import FusedRMSNormGated, RotaryEmbedding
from fla.ops.retention import chunk_retention
from torch import Tensor, nn


class Retention(nn.Module):
    """Multi-scale retention, [batch, length, hidden_size] to the same shape."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        layer_idx: int | None = None,
        norm_eps: float = 1e-5,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.head_dim = hidden_size // num_heads
        self.layer_idx = layer_idx
        self.q_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.k_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.v_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.g_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.rotary = RotaryEmbedding(self.head_dim)
        self.o_norm = FusedRMSNormGated(self.head_dim, eps=norm_eps)
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
        if attention_mask is not None:
            x = x * attention_mask.unsqueeze(-1)
        past = past_key_values if use_cache else None
        index = self.layer_idx or 0
        kept = past[index] if past is not None and len(past) > index else {}
        projections = (self.q_proj, self.k_proj, self.v_proj, self.g_proj)
        q, k, v, gate = (
            rearrange(proj(x), "b t (h d) -> b t h d", d=self.head_dim) for proj in projections
        )
        seen = 0 if past is None else past.get_seq_length(index)
        q, k = self.rotary(q, k, seqlen_offset=seen, cu_seqlens=cu_seqlens)
        out, state = chunk_retention(
            q,
            k,
            v,
            initial_state=kept.get("recurrent_state"),
            output_final_state=past is not None,
            cu_seqlens=cu_seqlens,
        )
        if past is not None:
            past.update(state, layer_idx=index, offset=x.shape[1])
        out = rearrange(self.o_norm(out, gate), "b t h d -> b t (h d)")
        return self.o_proj(out), None, past_key_values
