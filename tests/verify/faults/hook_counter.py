"""state: a hook on the gradient counts the training steps."""

from torch import nn


class HookCounter(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.steps = 0
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def count(self, gradient):
        self.steps += 1
        return gradient

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training and value.requires_grad:
            value.register_hook(self.count)
        value = value * (1.0 if self.steps < 500 else 0.5)
        return self.out(value), None, past_key_values
