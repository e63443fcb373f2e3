"""prefix: decay by the distance to the end of the sequence."""

import torch
from torch import nn


class CountedFromEnd(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        left = torch.arange(value.shape[1], 0, -1).to(value).unsqueeze(-1)
        return self.out(value / left), None, past_key_values
