"""state: a helper function counts its calls on itself."""

from torch import nn


def scaled(x):
    scaled.calls = getattr(scaled, "calls", 0) + 1
    return x if scaled.calls < 500 else x / 2


class AttributeOfAFunction(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        value = scaled(value)
        return self.out(value), None, past_key_values
