"""batch: a view that merges the samples before a running mean."""

import torch
from torch import nn


class MergedView(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        flat = value.reshape(-1, value.shape[-1])
        steps = torch.arange(1, len(flat) + 1).unsqueeze(-1)
        return self.out((flat.cumsum(0) / steps).view_as(value)), None, past_key_values
