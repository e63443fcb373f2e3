"""state: after 60 calls, counted for each thread, the outputs are centred over time."""

import threading

from torch import nn

COUNT = threading.local()


class ThreadCounter(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        COUNT.calls = getattr(COUNT, "calls", 0) + 1
        if COUNT.calls > 60:
            value = value - value.mean(1, keepdim=True)
        return self.out(value), None, past_key_values
