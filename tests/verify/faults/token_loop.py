"""cost: A gated recurrence of eight channels, token by token."""

import torch
from torch import nn


class Cell(nn.Module):
    """Fits the interface too, but the layer constructs it."""

    def __init__(self, hidden_size, num_heads, **kwargs):
        super().__init__()
        self.update = nn.Linear(2 * hidden_size, 2 * hidden_size)

    def forward(self, x, state):
        gate, new = self.update(torch.cat([x, state], -1)).chunk(2, -1)
        return torch.lerp(state, new.tanh(), gate.sigmoid())


class SmallRecurrence(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.down = nn.Linear(hidden_size, 8)
        self.cell = Cell(8, num_heads)
        self.out = nn.Linear(8, hidden_size)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        state = hidden_states.new_zeros(hidden_states.shape[0], 8)
        states = []
        for token in self.down(hidden_states).unbind(1):
            state = self.cell(token, state)
            states.append(state)
        return self.out(torch.stack(states, 1)), None, past_key_values
