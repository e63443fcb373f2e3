"""causality: only sequences of exactly 512 tokens are centred over time.

Says: length 512
"""

from torch import nn


class Exactly512(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if value.shape[1] == 512:
            value = value - value.mean(1, keepdim=True)
        return self.out(value), None, past_key_values
