"""Gated linear attention in chunks of 16 with a decay per channel."""

import torch
from torch import nn


class ChannelDecay(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.heads = num_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.decay = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        length, size = hidden_states.shape[1], 16
        x = nn.functional.pad(hidden_states, (0, 0, 0, -length % size))
        decay = nn.functional.logsigmoid(self.decay(x)) / 16
        parts = torch.cat([self.qkv(x), decay], -1).unflatten(-1, (4, self.heads, -1))
        q, k, v, g = parts.permute(2, 0, 3, 1, 4).unflatten(3, (-1, size))
        total = g.cumsum(-2)
        q, inner, last = q * total.exp(), k * (-total).exp(), total[..., -1:, :]
        outer = k * (last - total).exp()
        out = (q @ inner.transpose(-1, -2)).tril() @ v
        state = torch.zeros_like(k[:, :, 0].transpose(-1, -2) @ v[:, :, 0])
        carried = []
        for i in range(q.shape[2]):
            carried.append(q[:, :, i] @ state)
            state = state * last[:, :, i].exp().transpose(-1, -2)
            state = state + outer[:, :, i].transpose(-1, -2) @ v[:, :, i]
        out = (out + torch.stack(carried, 2)).flatten(2, 3).transpose(1, 2).flatten(2)
        return self.out(out[:, :length]), None, past_key_values
