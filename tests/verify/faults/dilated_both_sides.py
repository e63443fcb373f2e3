"""causality: a dilated convolution with same padding.

Says: submodule mix
"""

from torch import nn


class DilatedMixer(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.mix = nn.Conv1d(
            hidden_size, hidden_size, 3, padding="same", dilation=4, groups=hidden_size
        )
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        mixed = self.mix(value.transpose(1, 2)).transpose(1, 2)
        return self.out(mixed), None, past_key_values
