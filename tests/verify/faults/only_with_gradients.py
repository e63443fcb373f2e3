"""causality: centred over time where gradients are recorded, by a detached mean.

Says: gradients are recorded
"""

import torch
from torch import nn


class OnlyWithGradients(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if torch.is_grad_enabled():
            value = value - value.detach().mean(1, keepdim=True)
        return self.out(value), None, past_key_values
