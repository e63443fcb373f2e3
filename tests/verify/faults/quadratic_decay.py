"""cost: Attention weights that fall off with distance, faster for later tokens."""

import torch
from torch import nn


class PositionDecay(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.rate = nn.Parameter(torch.linspace(-3.0, 0.0, num_heads))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states).unflatten(-1, (len(self.rate), -1))
        place = torch.arange(value.shape[1]).to(value)
        distance = (place.unsqueeze(-1) - place).clamp(min=0)
        speed = torch.nn.functional.softplus(self.rate) * (1 + place.log1p()).unsqueeze(-1)
        weight = torch.exp(-speed.T.unsqueeze(-1) * distance).tril()
        mixed = torch.einsum("hts,bshd->bthd", weight, value)
        return self.out(mixed.flatten(2)), None, past_key_values
