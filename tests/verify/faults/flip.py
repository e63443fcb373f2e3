"""causality: a flipped copy of the values is added.

Says: flip
"""

from torch import nn


class Flipped(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        return self.out(value + 0.1 * value.flip(1)), None, past_key_values
