"""The mean of everything so far."""

import torch
from torch import nn


class CumulativeMean(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        seen = torch.arange(1, value.shape[1] + 1).to(value).unsqueeze(-1)
        return self.out(value + value.cumsum(1) / seen), None, past_key_values
