"""causality: a random tenth of the training calls loses its mask.

Says: now and then
"""

import torch
from torch import nn


class SometimesUnmasked(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        mask = torch.ones(value.shape[1], value.shape[1]).tril()
        if self.training and torch.rand(()) < 0.1:
            mask = torch.ones_like(mask)
        value = (mask / mask.sum(-1, keepdim=True)) @ value
        return self.out(value), None, past_key_values
