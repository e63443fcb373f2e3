"""state: a warm-up that counts the calls of forward."""

import torch
from torch import nn


class WarmUp(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)
        self.calls = 0

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        steps = torch.arange(1, value.shape[1] + 1, device=value.device).to(value).unsqueeze(-1)
        mean = value.cumsum(1) / steps
        self.calls += 1
        mean = mean * (1 - 0.9**self.calls)
        return self.out(mean * self.gate(hidden_states).sigmoid()), None, past_key_values
