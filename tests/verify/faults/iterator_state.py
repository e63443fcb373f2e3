"""state: an iterator counts the calls, for a schedule that starts late."""

import itertools

from torch import nn


class IteratorState(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.steps = itertools.count()
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        step = next(self.steps)
        value = value * (1 + 0.1 * (step > 500))
        return self.out(value), None, past_key_values
