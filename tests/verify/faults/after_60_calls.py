"""state: a count of calls in a closure; from the sixtieth on the output is smaller."""

from torch import nn


def counter():
    calls = 0

    def count():
        nonlocal calls
        calls += 1
        return calls

    return count


class AfterSixty(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.count = counter()
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        value = value * (0.5 if self.count() > 60 else 1.0)
        return self.out(value), None, past_key_values
