"""state: a generator of its own goes on from call to call."""

import torch
from torch import nn


class OwnGenerator(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.generator = torch.Generator().manual_seed(0)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        noise = torch.randn(value.shape[-1], generator=self.generator)
        mixed = value + 0.01 * noise
        return self.out(mixed), None, past_key_values
