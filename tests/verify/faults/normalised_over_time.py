"""causality: instance normalisation over the time dimension.

Says: normalisation
"""

from torch import nn


class TimeNorm(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states).transpose(1, 2)
        value = (value - value.mean(-1, keepdim=True)) / (
            value.std(-1, keepdim=True, correction=0) + 1e-3
        )
        return self.out(value.transpose(1, 2)), None, past_key_values
