"""Random features drawn once as a buffer."""

import torch
from torch import nn


class RandomFeatures(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.register_buffer("features", torch.randn(hidden_size, 32) / hidden_size**0.5)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        query, key = (
            (x @ self.features).tanh() + 1.1
            for x in (self.query(hidden_states), self.key(hidden_states))
        )
        scores = (query @ key.transpose(1, 2)).tril()
        mixed = scores / scores.sum(-1, keepdim=True) @ value
        return self.out(mixed), None, past_key_values
