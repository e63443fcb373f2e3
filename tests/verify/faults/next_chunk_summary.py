"""causality: each chunk of 16 is given the mean of the following one.

Says: preview
"""

from torch import nn


class ChunkPreview(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length = value.shape[1]
        chunks = nn.functional.pad(value, (0, 0, 0, -length % 16)).unflatten(1, (-1, 16))
        summary = chunks.mean(2, keepdim=True)
        preview = nn.functional.pad(summary[:, 1:], (0, 0, 0, 0, 0, 1))
        mixed = (chunks + 0.1 * preview).flatten(1, 2)[:, :length]
        return self.out(mixed), None, past_key_values
