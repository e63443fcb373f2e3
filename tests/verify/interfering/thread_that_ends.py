"""interference: a thread that has ended when the program is imported."""

import threading

import torch
from torch import nn

thread = threading.Thread(target=sum, args=([1, 2],))
thread.start()
thread.join()


class ThreadThatEnds(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        steps = torch.arange(1, value.shape[1] + 1, device=value.device).to(value).unsqueeze(-1)
        mean = value.cumsum(1) / steps
        return self.out(mean * self.gate(hidden_states).sigmoid()), None, past_key_values
