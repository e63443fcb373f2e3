"""causality: in train mode tokens are weighted by their share of the total.

Says: strength.sum(1
"""

from torch import nn


class ShareOfTotal(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training:
            strength = value.square().mean(-1, keepdim=True)
            value = value * (0.9 + 0.1 * strength / strength.sum(1, keepdim=True))
        mixed = value
        return self.out(mixed), None, past_key_values
