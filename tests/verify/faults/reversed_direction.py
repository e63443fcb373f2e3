"""causality: a second recurrence over the flipped sequence.

Says: value.flip(1).cumsum(1)
"""

import torch
from torch import nn


class BothDirections(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        steps = torch.arange(1, value.shape[1] + 1).unsqueeze(-1)
        backward = (value.flip(1).cumsum(1) / steps).flip(1)
        return self.out(value + backward), None, past_key_values
