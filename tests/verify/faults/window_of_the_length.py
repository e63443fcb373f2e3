"""prefix: a window that is a quarter of the length."""

from torch import nn


class GrowingWindow(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length = value.shape[1]
        window = max(length // 4, 1)
        total = value.cumsum(1)
        mixed = total - nn.functional.pad(total, (0, 0, window, 0))[:, :length]
        return self.out(mixed), None, past_key_values
