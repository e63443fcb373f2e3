"""causality: a gate from the last token of the sequence.

Says: hidden_states[:, -1:]
"""

from torch import nn


class LastTokenGate(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        mixed = value * self.gate(hidden_states[:, -1:]).sigmoid()
        return self.out(mixed), None, past_key_values
