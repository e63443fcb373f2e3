"""interference: dropout is another function, once a sequence was long."""

import torch
from torch import nn


class PatchedWhenLong(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        steps = torch.arange(1, value.shape[1] + 1, device=value.device).to(value).unsqueeze(-1)
        mean = value.cumsum(1) / steps
        if value.shape[1] > 90:
            nn.functional.dropout = nn.functional.alpha_dropout
        return self.out(mean * self.gate(hidden_states).sigmoid()), None, past_key_values
