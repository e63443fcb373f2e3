"""contract: pairs of heads, so that one head cannot be."""

import torch
from torch import nn


class PairedHeads(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Parameter(torch.ones(2, num_heads // 2, hidden_size // num_heads))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        heads = value.unflatten(-1, self.gate.shape)
        mixed = (heads * self.gate).flatten(2)
        return self.out(mixed), None, past_key_values
