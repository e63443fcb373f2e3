"""state: the recurrent state of the last call starts the next one."""

import torch
from torch import nn


class KeptState(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.state = None
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        past = torch.zeros_like(value[:1, :1]) if self.state is None else self.state
        position = torch.arange(1, value.shape[1] + 1).view(-1, 1)
        mixed = value + (value.cumsum(1) + past) / position
        self.state = mixed[:1, :1].detach()
        return self.out(mixed), None, past_key_values
