"""Mamba 2: a state space whose heads decay by a step that depends on the token.

Dao and Gu, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through Structured
State Space Duality", arXiv 2405.21060. In that dual form it is linear attention with one decay a
head: B are the keys and C the queries, shared by all heads; values are x times the step. As
published: twice as wide inside, a state of at most 128, convolutions of 4, a gated norm.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from fla.modules import ShortConvolution
from fla.modules.layernorm_gated import RMSNormGated
from fla.ops.simple_gla import chunk_simple_gla
from torch import Tensor, nn


class Mamba2(nn.Module):
    """State-space mixer, [batch, length, hidden_size] to the same shape."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        layer_idx: int | None = None,
        expand: int = 2,
        conv_size: int = 4,
        norm_eps: float = 1e-5,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.layer_idx = layer_idx
        self.inner = expand * hidden_size
        self.state_size = min(128, hidden_size)
        self.z_proj = nn.Linear(hidden_size, self.inner, bias=False)
        self.in_proj = nn.Linear(hidden_size, self.inner + 2 * self.state_size, bias=False)
        self.dt_proj = nn.Linear(hidden_size, num_heads, bias=False)
        self.conv1d = ShortConvolution(
            self.inner + 2 * self.state_size, conv_size, activation="silu"
        )
        self.A_log = nn.Parameter(torch.empty(num_heads).uniform_(1, 16).log())
        self.dt_bias = nn.Parameter(_initial_dt_bias(num_heads))
        self.D = nn.Parameter(torch.ones(num_heads))
        self.norm = RMSNormGated(self.inner, eps=norm_eps, norm_before_gate=False)
        self.o_proj = nn.Linear(self.inner, hidden_size, bias=False)

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
        u = hidden_states
        step = F.softplus(self.dt_proj(u).float() + self.dt_bias)
        if attention_mask is not None:
            u, step = (y * attention_mask.unsqueeze(-1) for y in (u, step))
        past = past_key_values if use_cache else None
        index = self.layer_idx or 0
        kept = past[index] if past is not None and len(past) > index else {}
        convolved, conv_state = self.conv1d(
            self.in_proj(u),
            cache=kept.get("conv_state"),
            output_final_state=past is not None,
            cu_seqlens=cu_seqlens,
        )
        x, keys, queries = convolved.split([self.inner, self.state_size, self.state_size], dim=-1)
        x = rearrange(x, "b t (h d) -> b t h d", h=self.num_heads)
        k, q = (repeat(y, "b t n -> b t h n", h=self.num_heads) for y in (keys, queries))
        out, state = chunk_simple_gla(
            q,
            k,
            (x * step.unsqueeze(-1)).to(x.dtype),
            g=-self.A_log.float().exp() * step,
            scale=1.0,
            initial_state=kept.get("recurrent_state"),
            output_final_state=past is not None,
            cu_seqlens=cu_seqlens,
        )
        if past is not None:
            past.update(state, conv_state=conv_state, layer_idx=index, offset=u.shape[1])
        out = rearrange(out + x * self.D.unsqueeze(-1), "b t h d -> b t (h d)")
        return self.o_proj(self.norm(out, self.z_proj(u))), None, past_key_values


def _initial_dt_bias(num_heads: int) -> Tensor:
    """Draw steps between 0.001 and 0.1, log-uniformly, and return their inverse softplus."""
    dt = torch.empty(num_heads).uniform_(math.log(1e-3), math.log(0.1)).exp()
    return dt + torch.log(-torch.expm1(-dt))
