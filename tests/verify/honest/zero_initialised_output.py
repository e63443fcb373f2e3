"""An output projection that starts at zero, so that at first nothing else has a gradient."""

import torch
from torch import nn


class ZeroOutput(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        gate = torch.sigmoid(self.gate(hidden_states))
        return self.out(gate * self.value(hidden_states)), None, past_key_values
