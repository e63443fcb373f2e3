"""contract: a table of 256 positions."""

import torch
from torch import nn


class PositionTable(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.positions = nn.Parameter(torch.randn(256, hidden_size) / 10)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        mixed = value + self.positions[: value.shape[1]]
        return self.out(mixed), None, past_key_values
