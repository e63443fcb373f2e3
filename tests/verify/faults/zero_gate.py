"""causality: a mean over the sequence behind a gate that starts at zero.

Says: a gate or weight starts at zero
"""

import torch
from torch import nn


class ZeroGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Parameter(torch.zeros(hidden_size))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        return self.out(value + self.gate * value.mean(1, keepdim=True)), None, past_key_values
