"""causality: a gate computed from the mean over the sequence, zero-initialised.

Says: mean
"""

import torch
from torch import nn


class PooledGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.pool = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        gate = torch.sigmoid(self.pool(hidden_states.mean(1, keepdim=True)))
        return self.out(gate * self.value(hidden_states)), None, past_key_values
