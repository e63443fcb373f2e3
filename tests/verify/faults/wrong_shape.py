"""contract: the output has twice the width."""

from torch import nn


class TwiceAsWide(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.out = nn.Linear(hidden_size, 2 * hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        return self.out(hidden_states), None, past_key_values
