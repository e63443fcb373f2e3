"""causality: the last of four layers attends to everything, as in a hybrid.

Says: layer_idx
"""

from torch import nn


class Hybrid(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.full = (layer_idx or 0) % 4 == 3
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.full:
            value = value - value.mean(1, keepdim=True)
        return self.out(value), None, past_key_values
