"""state: a helper object that is no module remembers the last input."""

from torch import nn


class Memory:
    def __init__(self):
        self.last = 0.0

    def exchange(self, value):
        last, self.last = self.last, 0.1 * value
        return last


class Remembering(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.memory = Memory()
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        mixed = value + self.memory.exchange(value[:1, :1].detach())
        return self.out(mixed), None, past_key_values
