"""batch: each sample is scaled by its place in the batch."""

import torch
from torch import nn


class PlaceInBatch(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        place = torch.arange(hidden_states.shape[0]).view(-1, 1, 1)
        return self.out(self.value(hidden_states) * (1 + 0.1 * place)), None, past_key_values
