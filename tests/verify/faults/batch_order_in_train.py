"""batch: in train mode the first sample of a batch is left as it is."""

import torch
from torch import nn


class TrainFirst(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training:
            weight = (torch.arange(len(value)) > 0).to(value).view(-1, 1, 1)
            value = value * (1 + weight)
        return self.out(value), None, past_key_values
