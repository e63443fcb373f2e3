"""A mean of the past in which a token weighs less the later it comes, at a learned rate."""

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
        place = torch.arange(1, value.shape[1] + 1).to(value)
        weight = torch.exp(-torch.nn.functional.softplus(self.rate) * place.log().unsqueeze(-1))
        mixed = (weight.unsqueeze(-1) * value).cumsum(1) / weight.cumsum(0).unsqueeze(-1)
        return self.out(mixed.flatten(2)), None, past_key_values
