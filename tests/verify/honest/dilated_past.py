"""Dilated convolutions padded on the left only."""

from torch import nn


class DilatedPast(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.mix = nn.Conv1d(hidden_size, hidden_size, 3, dilation=8, groups=hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        padded = nn.functional.pad(value.transpose(1, 2), (16, 0))
        mixed = value + self.mix(padded).transpose(1, 2)
        return self.out(mixed), None, past_key_values
