"""parameters: full projections of four times the width, for which no MLP makes room."""

import torch
from torch import nn


class TooWide(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.wide = nn.Linear(hidden_size, 16 * hidden_size, bias=False)
        self.out = nn.Linear(16 * hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        return self.out(torch.relu(self.wide(hidden_states))), None, past_key_values
