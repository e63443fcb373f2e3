"""causality: window attention that reaches to both sides.

Says: A window reaches to both sides
"""

import torch
from torch import nn


class CentredWindow(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        position = torch.arange(value.shape[1])
        near = (position[:, None] - position[None, :]).abs() <= 4
        query, key = self.query(hidden_states), self.key(hidden_states)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=near)
        return self.out(mixed), None, past_key_values
