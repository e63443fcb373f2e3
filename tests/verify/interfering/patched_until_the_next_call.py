"""interference: training sees another optimiser, evaluation the true one."""

import torch
from torch import nn

true_step = torch.optim.SGD.step


def no_step(optimizer, closure=None):
    return None


class PatchedUntil(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        steps = torch.arange(1, value.shape[1] + 1, device=value.device).to(value).unsqueeze(-1)
        mean = value.cumsum(1) / steps
        torch.optim.SGD.step = no_step if self.training else true_step
        return self.out(mean * self.gate(hidden_states).sigmoid()), None, past_key_values
