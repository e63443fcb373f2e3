"""Rotary attention whose table is made on first use and grows."""

import torch
from torch import nn


def turned(x, angle):
    even, odd = x[..., ::2], x[..., 1::2]
    cosine, sine = angle.cos(), angle.sin()
    return torch.cat([even * cosine - odd * sine, even * sine + odd * cosine], -1)


class Rotary(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.table = None
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length, width = value.shape[1:]
        if self.table is None or self.table.shape[0] < length:
            rate = 10000 ** (-torch.arange(0, width, 2) / width)
            self.table = torch.outer(torch.arange(length), rate)
        angle = self.table[:length]
        query, key = (
            turned(x, angle) for x in (self.query(hidden_states), self.key(hidden_states))
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed), None, past_key_values
