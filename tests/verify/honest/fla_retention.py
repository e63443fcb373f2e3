"""Retention by fla's operator."""

from fla.ops.retention import chunk_retention
from torch import nn


class Retention(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.heads = num_heads
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        query, key, value = (
            x.unflatten(-1, (self.heads, -1))
            for x in (self.query(hidden_states), self.key(hidden_states), value)
        )
        mixed, _ = chunk_retention(query, key, value)
        mixed = mixed.flatten(2)
        return self.out(mixed), None, past_key_values
