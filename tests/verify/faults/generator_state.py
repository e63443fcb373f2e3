"""state: a generator yields the factor of each call."""

from torch import nn


def schedule():
    for call in range(1_000_000):
        yield 1.0 if call < 500 else 0.5


class GeneratorState(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.schedule = schedule()
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        value = value * next(self.schedule)
        return self.out(value), None, past_key_values
