"""causality: a convolution padded on the left with the reflected first tokens.

Says: submodule mix
"""

import torch
from torch import nn


class ReflectedConvolution(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.mix = nn.Conv1d(hidden_size, hidden_size, 4, groups=hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length = value.shape[1]
        index = torch.arange(3, 0, -1).clamp_max(length - 1)
        padded = torch.cat([value[:, index], value], 1)
        mixed = self.mix(padded.transpose(1, 2)).transpose(1, 2)
        return self.out(mixed), None, past_key_values
