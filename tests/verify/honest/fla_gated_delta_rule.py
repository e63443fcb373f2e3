"""The gated delta rule by fla's operator."""

from fla.ops.gated_delta_rule import chunk_gated_delta_rule
from torch import nn


class GatedDelta(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.heads = num_heads
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.beta = nn.Linear(hidden_size, num_heads)
        self.gate = nn.Linear(hidden_size, num_heads)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        query, key, value = (
            x.unflatten(-1, (self.heads, -1))
            for x in (self.query(hidden_states), self.key(hidden_states), value)
        )
        beta = self.beta(hidden_states).sigmoid()
        decay = nn.functional.logsigmoid(self.gate(hidden_states))
        key = nn.functional.normalize(key, dim=-1)
        mixed, _ = chunk_gated_delta_rule(query, key, value, decay, beta)
        mixed = mixed.flatten(2)
        return self.out(mixed), None, past_key_values
