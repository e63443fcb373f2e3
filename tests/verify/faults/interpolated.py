"""causality: every second token, interpolated back to the full length.

Says: interpolate(
"""

from torch import nn


class Interpolated(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        channels = value.transpose(1, 2)
        coarse = nn.functional.interpolate(channels[..., ::2], size=value.shape[1], mode="linear")
        mixed = value + coarse.transpose(1, 2)
        return self.out(mixed), None, past_key_values
