"""batch: attention over the samples instead of the tokens."""

from torch import nn


class BatchAttention(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        query = self.query(hidden_states).transpose(0, 1)
        scores = query @ query.transpose(1, 2) / value.shape[-1]
        mixed = (scores.softmax(-1) @ value.transpose(0, 1)).transpose(0, 1)
        return self.out(mixed), None, past_key_values
