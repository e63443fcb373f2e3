"""causality: softmax attention without a causal mask.

Says: missing causal mask
"""

from torch import nn


class Unmasked(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        scores = self.query(hidden_states) @ self.key(hidden_states).transpose(1, 2)
        mixed = scores.div(value.shape[-1] ** 0.5).softmax(-1) @ value
        return self.out(mixed), None, past_key_values
