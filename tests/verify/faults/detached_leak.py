"""causality: the future enters through a detached scale, which has no gradient.

Says: statistic over the sequence
"""

from torch import nn


class DetachedScale(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        scale = value.detach().square().mean((1, 2), keepdim=True).sqrt()
        return self.out(value / scale), None, past_key_values
