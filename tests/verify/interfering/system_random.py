"""interference: the chance of the system switches something in train mode."""

import random

from torch import nn

CHANCE = random.SystemRandom()


class SystemChance(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training and CHANCE.random() < 0.5:
            value = value / 2
        return self.out(value), None, past_key_values
