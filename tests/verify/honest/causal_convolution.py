"""Depthwise convolution padded on the left, with dropout in train mode."""

from torch import nn


class CausalConvolution(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.mix = nn.Conv1d(hidden_size, hidden_size, 4, padding=3, groups=hidden_size)
        self.dropout = nn.Dropout(0.1)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        mixed = self.mix(hidden_states.transpose(1, 2))[..., : hidden_states.shape[1]]
        return self.out(self.dropout(mixed.transpose(1, 2))), None, past_key_values
