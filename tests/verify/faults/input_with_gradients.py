"""causality: a detached mean over time where the input has a gradient.

Says: gradients are recorded
"""

from torch import nn


class InputWithGradients(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if hidden_states.requires_grad:
            value = value - value.detach().mean(1, keepdim=True)
        return self.out(value), None, past_key_values
