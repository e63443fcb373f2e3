"""prefix: scaled by the power of two that the sequence is padded to."""

from torch import nn


class PowerOfTwo(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        size = 2 ** (value.shape[1] - 1).bit_length()
        mixed = value.cumsum(1) / size**0.5
        return self.out(mixed), None, past_key_values
