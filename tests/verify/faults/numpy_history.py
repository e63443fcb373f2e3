"""state: counts lengths in an array of NumPy."""

import numpy as np
from torch import nn


class NumpyHistory(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.seen = np.zeros(100)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        self.seen[min(value.shape[1], 99)] += 1
        value = value * (1.0 if self.seen.sum() < 500 else 0.5)
        return self.out(value), None, past_key_values
