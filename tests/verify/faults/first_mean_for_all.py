"""state: a cached helper keeps the mean of the first input that the program ever saw."""

import functools

from torch import nn


@functools.lru_cache
def first(width):
    return []


class FirstMean(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        kept = first(value.shape[-1])
        if not kept:
            kept.append(float(value.mean()))
        return self.out(value + kept[0]), None, past_key_values
