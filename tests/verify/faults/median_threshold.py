"""causality: tokens below the median of their sequence are muted.

Says: strength.median(1
"""

from torch import nn


class MedianGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        strength = value.square().mean(-1, keepdim=True)
        mixed = value * (strength >= strength.median(1, keepdim=True).values) + 0.5 * value
        return self.out(mixed), None, past_key_values
