"""causality: no mask inside chunks of 32.

Says: mask inside the chunk is missing
"""

from torch import nn


class UnmaskedChunk(nn.Module):
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
        length = hidden_states.shape[1]
        padded = nn.functional.pad(hidden_states, (0, 0, 0, -length % 32))
        q, k, v = (part.unflatten(2, (-1, 32)) for part in self.split(padded))
        out = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5 @ v / 32
        return self.merge(out.flatten(2, 3)[:, :, :length]), None, past_key_values
