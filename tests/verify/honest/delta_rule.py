"""The delta rule in chunks of 32 by forward substitution, with d_model and n_heads."""

import torch
from torch import nn


class ChunkedDelta(nn.Module):
    def __init__(self, d_model, n_heads=4, **kwargs):
        super().__init__()
        self.heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.beta = nn.Linear(d_model, n_heads, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x):
        length, size = x.shape[1], 32
        x = nn.functional.pad(x, (0, 0, 0, -length % size))
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = (part.unflatten(2, (-1, size)) for part in qkv)
        q, k = nn.functional.normalize(q, dim=-1), nn.functional.normalize(k, dim=-1)
        beta = self.beta(x).sigmoid().transpose(1, 2).unflatten(2, (-1, size)).unsqueeze(-1)
        system = (beta * k @ k.transpose(-1, -2)).tril(-1) + torch.eye(size)
        solved = torch.linalg.solve_triangular(
            system, torch.cat([beta * k, beta * v], -1), upper=False, unitriangular=True
        )
        keys, values = solved.chunk(2, -1)
        scores = (q @ k.transpose(-1, -2)).tril()
        state = torch.zeros_like(k[:, :, 0].transpose(-1, -2) @ v[:, :, 0])
        outputs = []
        for i in range(q.shape[2]):
            new = values[:, :, i] - keys[:, :, i] @ state
            outputs.append(q[:, :, i] @ state + scores[:, :, i] @ new)
            state = state + k[:, :, i].transpose(-1, -2) @ new
        out = torch.cat(outputs, 2).transpose(1, 2).flatten(2)
        return self.out(out[:, :length])
