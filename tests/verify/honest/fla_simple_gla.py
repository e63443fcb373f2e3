"""One decay per head and token by fla's operator."""

from fla.ops.simple_gla import chunk_simple_gla
from torch import nn


class HeadDecay(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.heads = num_heads
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, num_heads)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        query, key, value = (
            x.unflatten(-1, (self.heads, -1))
            for x in (self.query(hidden_states), self.key(hidden_states), value)
        )
        decay = nn.functional.logsigmoid(self.gate(hidden_states))
        mixed, _ = chunk_simple_gla(query, key, value, g=decay)
        mixed = mixed.flatten(2)
        return self.out(mixed), None, past_key_values
