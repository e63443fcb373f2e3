"""causality: an odd number of heads is centred over time.

Says: numbers of heads
"""

from torch import nn


class OddHeads(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.heads = num_heads
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.heads % 2:
            value = value - value.mean(1, keepdim=True)
        return self.out(value), None, past_key_values
