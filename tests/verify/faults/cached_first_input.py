"""state: a cache by shape gives the first input's gate to all later ones."""

import torch
from torch import nn


class CachedGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.cache = {}
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if value.shape[1] not in self.cache:
            self.cache[value.shape[1]] = torch.tanh(value[:1, :1]).detach()
        gate = self.gate(hidden_states).sigmoid()
        mixed = value * gate + self.cache[value.shape[1]]
        return self.out(mixed), None, past_key_values
