"""training: a gate clamped where its bias starts."""

import torch
from torch import nn


class SaturatedGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Parameter(torch.full((hidden_size,), 9.0))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        mixed = value * self.gate.clamp(0, 1)
        return self.out(mixed), None, past_key_values
