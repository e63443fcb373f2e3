"""causality: after 20 calls in train mode the gate opens to a mean over time.

Says: after some calls only
"""

import torch
from torch import nn


class OpeningGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.register_buffer("steps", torch.zeros(()))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training:
            self.steps += 1
        gate = (self.steps > 20).to(value)
        mixed = value + gate * 0.1 * value.mean(1, keepdim=True)
        return self.out(mixed), None, past_key_values
