"""A control: DeltaNet with as many convolution and gate parameters as candidates tend to add.

Candidates add short convolutions and gates to whatever else they change. This adds nothing else:
an output gate as wide as the model and convolutions of 8 instead of 4. Of 120 designs of the
rule-based team the mean has 0.6 d ** 2 parameters in gates and 11 d in convolutions (d is the
width, DeltaNet has none and 12 d); here they are d ** 2 and 24 d. What beats DeltaNet and not this
has found parameters, not an idea.
"""

from typing import Any

from einops import rearrange
from fla.modules import FusedRMSNormGated, ShortConvolution
from fla.ops.delta_rule import chunk_delta_rule
from torch import Tensor, nn


class DeltaNetControl(nn.Module):
    """Delta-rule mixer, [batch, length, hidden_size] to the same shape."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        layer_idx: int | None = None,
        conv_size: int = 8,
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
        self.b_proj = nn.Linear(hidden_size, num_heads, bias=False)
        self.q_conv1d = ShortConvolution(hidden_size, conv_size, activation="silu")
        self.k_conv1d = ShortConvolution(hidden_size, conv_size, activation="silu")
        self.v_conv1d = ShortConvolution(hidden_size, conv_size, activation="silu")
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
        q_past, k_past, v_past = kept.get("conv_state") or (None, None, None)
        how = {"output_final_state": past is not None, "cu_seqlens": cu_seqlens}
        q, q_past = self.q_conv1d(self.q_proj(x), cache=q_past, **how)
        k, k_past = self.k_conv1d(self.k_proj(x), cache=k_past, **how)
        v, v_past = self.v_conv1d(self.v_proj(x), cache=v_past, **how)
        q, k, v, gate = (
            rearrange(y, "b t (h d) -> b t h d", d=self.head_dim) for y in (q, k, v, self.g_proj(x))
        )
        beta = self.b_proj(x).sigmoid()
        if attention_mask is not None:
            beta = beta * attention_mask.unsqueeze(-1)
        state = kept.get("recurrent_state")
        how |= {"initial_state": state, "use_qk_l2norm_in_kernel": True}
        out, state = chunk_delta_rule(q, k, v, beta, **how)
        if past is not None:
            convolved = (q_past, k_past, v_past)
            past.update(state, conv_state=convolved, layer_idx=index, offset=x.shape[1])
        out = rearrange(self.o_norm(out, gate), "b t h d -> b t (h d)")
        return self.o_proj(out), None, past_key_values
