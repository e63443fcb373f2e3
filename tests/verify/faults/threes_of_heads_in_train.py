"""causality: in train mode three heads are centred over time.

Says: with 3 heads
"""

from torch import nn


class ThreeHeadsInTrain(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.heads = num_heads
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training and self.heads == 3:
            value = value - value.mean(1, keepdim=True)
        return self.out(value), None, past_key_values
