"""causality: in train mode the second layer is centred over time.

Says: layer 1
"""

from torch import nn


class OddInTrain(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.odd = bool((layer_idx or 0) % 2)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training and self.odd:
            value = value - value.mean(1, keepdim=True)
        return self.out(value), None, past_key_values
