"""causality: a strided convolution and its transpose, a learnt down and up.

Says: submodule up
"""

from torch import nn


class Hourglass(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.down = nn.Conv1d(hidden_size, hidden_size, 4, stride=4, groups=hidden_size)
        self.up = nn.ConvTranspose1d(hidden_size, hidden_size, 4, stride=4, groups=hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length = value.shape[1]
        channels = nn.functional.pad(value.transpose(1, 2), (0, -length % 4))
        coarse = self.up(self.down(channels))[..., :length]
        mixed = value + coarse.transpose(1, 2)
        return self.out(mixed), None, past_key_values
