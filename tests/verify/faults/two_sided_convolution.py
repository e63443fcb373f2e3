"""causality: a short convolution padded on both sides.

Says: submodule mix
"""

from torch import nn


class CentredConvolution(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.mix = nn.Conv1d(hidden_size, hidden_size, 5, padding=2, groups=hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        mixed = self.mix(hidden_states.transpose(1, 2)).transpose(1, 2)
        return self.out(mixed), None, past_key_values
