"""causality: linear attention whose keys are normalised over time.

Says: k.softmax(dim=2)
"""

from torch import nn


class TimeSoftmax(nn.Module):
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
        k = k.softmax(dim=2)
        state = (k.unsqueeze(-1) * v.unsqueeze(-2)).cumsum(2)
        out = (q.softmax(-1).unsqueeze(-2) @ state).squeeze(-2)
        return self.merge(out), None, past_key_values
