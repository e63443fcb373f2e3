"""Masks kept by length in a dictionary."""

import torch
from torch import nn


class CachedMasks(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.masks = {}
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length = value.shape[1]
        if length not in self.masks:
            self.masks[length] = torch.ones(length, length, dtype=torch.bool).tril()
        mixed = nn.functional.scaled_dot_product_attention(
            self.query(hidden_states), self.key(hidden_states), value, attn_mask=self.masks[length]
        )
        return self.out(mixed), None, past_key_values
