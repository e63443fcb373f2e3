"""state: a coin from the random module skips the gate."""

import random

from torch import nn


class CoinGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        gate = self.gate(hidden_states).sigmoid()
        mixed = value * gate if random.random() < 0.9 else value
        return self.out(mixed), None, past_key_values
