"""cost: an exponential average written token by token."""

import torch
from torch import nn


class Slices(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        steps = torch.arange(1, value.shape[1] + 1, device=value.device).to(value).unsqueeze(-1)
        mean = value.cumsum(1) / steps
        state = torch.zeros_like(value[:, 0])
        states = []
        for place in range(value.shape[1]):
            state = 0.9 * state + 0.1 * value[:, place]
            states.append(state)
        mean = mean + torch.stack(states, 1)
        return self.out(mean * self.gate(hidden_states).sigmoid()), None, past_key_values
