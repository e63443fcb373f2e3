"""causality: max pooling of three with a token of padding on either side.

Says: max_pool1d(
"""

from torch import nn


class MaxPooling(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        pooled = nn.functional.max_pool1d(value.transpose(1, 2), 3, stride=1, padding=1)
        mixed = value + pooled.transpose(1, 2)
        return self.out(mixed), None, past_key_values
