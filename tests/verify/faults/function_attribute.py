"""state: an autograd function keeps a count on its class, advanced in backward."""

import torch
from torch import nn


class Scaled(torch.autograd.Function):
    steps = 0

    @staticmethod
    def forward(ctx, x):
        return x * (1.0 if Scaled.steps < 500 else 0.5)

    @staticmethod
    def backward(ctx, gradient):
        Scaled.steps += 1
        return gradient


class FunctionAttribute(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        value = Scaled.apply(value)
        return self.out(value), None, past_key_values
