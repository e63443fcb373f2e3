"""training: a gate is computed and never used."""

import torch
from torch import nn


class ForgottenGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        gate = torch.sigmoid(self.gate(hidden_states)).detach()
        return self.out(gate * self.value(hidden_states)), None, past_key_values
