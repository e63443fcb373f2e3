"""A gated running sum as a logcumsumexp."""

import torch
from torch import nn


class LogScan(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        log_decay = nn.functional.logsigmoid(self.gate(hidden_states) + 4).cumsum(1)
        log_value = nn.functional.logsigmoid(value)
        mixed = (torch.logcumsumexp(log_value - log_decay, 1) + log_decay).exp()
        return self.out(mixed), None, past_key_values
