"""Dropout on a token shift, in train mode only."""

from torch import nn


class Dropping(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.dropout = nn.Dropout(0.1)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        shifted = nn.functional.pad(value[:, :-1], (0, 0, 1, 0))
        mixed = value + self.dropout(shifted)
        return self.out(mixed), None, past_key_values
