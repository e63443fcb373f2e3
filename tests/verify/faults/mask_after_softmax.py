"""causality: the mask is applied after the softmax, whose sum has seen everything.

Says: mask applied after the softmax
"""

from torch import nn


class LateMask(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.heads = num_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def split(self, x):
        batch, length, _width = x.shape
        parts = self.qkv(x).view(batch, length, 3, self.heads, -1)
        return parts.permute(2, 0, 3, 1, 4)

    def merge(self, x):
        return self.out(x.transpose(1, 2).flatten(2))

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        q, k, v = self.split(hidden_states)
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        return self.merge(scores.softmax(-1).tril() @ v), None, past_key_values
