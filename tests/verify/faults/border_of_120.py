"""causality: the last position of each chunk of 120 sees the first of the next.

Says: across chunk borders
"""

import torch
from torch import nn


class Border120(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        following = nn.functional.pad(value[:, 1:], (0, 0, 0, 1))
        border = (torch.arange(value.shape[1]) % 120 == 119).to(value).unsqueeze(-1)
        value = value + 0.01 * border * following
        return self.out(value), None, past_key_values
