"""state: a list in a default argument grows with every call."""

from torch import nn


def factor(length, seen=[]):  # noqa: B006
    seen.append(length)
    return 1.0 if len(seen) < 500 else 0.5


class DefaultArgument(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        value = value * factor(value.shape[1])
        return self.out(value), None, past_key_values
