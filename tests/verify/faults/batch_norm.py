"""batch: batch norm, which in train mode mixes samples and time."""

from torch import nn


class BatchNormed(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.norm = nn.BatchNorm1d(hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.norm(self.value(hidden_states).transpose(1, 2)).transpose(1, 2)
        return self.out(value), None, past_key_values
