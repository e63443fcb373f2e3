"""causality: a token shift by torch.roll, which wraps the last token to the front.

Says: torch.roll
"""

import torch
from torch import nn


class RolledShift(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        shifted = torch.roll(hidden_states, 1, dims=1)
        return self.out(self.value(shifted) + hidden_states), None, past_key_values
