"""causality: each token looks up what comes after the last token equal to it, also later ones.

Says: the tokens before it
"""

import torch
from torch import nn


class NextEqual(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        same = (hidden_states.unsqueeze(1) == hidden_states.unsqueeze(2)).all(-1).to(value)
        following = nn.functional.pad(value[:, 1:], (0, 0, 0, 1))
        value = value + 0.1 * (same - torch.eye(same.shape[1])) @ following
        return self.out(value), None, past_key_values
