"""A short convolution by fla's module before a running mean."""

import torch
from fla.modules import ShortConvolution
from torch import nn


class ShortMixer(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.short = ShortConvolution(hidden_size, 4, activation="silu")
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        short, _ = self.short(value)
        position = torch.arange(1, value.shape[1] + 1).unsqueeze(-1)
        mixed = short + short.cumsum(1) / position
        return self.out(mixed), None, past_key_values
