"""batch: more than eight samples are normalised together."""

from torch import nn


class BeyondEight(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if len(value) > 8:
            value = value / value.square().mean().sqrt()
        return self.out(value), None, past_key_values
