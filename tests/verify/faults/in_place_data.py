"""contract: long training inputs are scaled in place, past autograd."""

from torch import nn


class InPlaceData(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        if self.training and value.shape[1] > 65:
            hidden_states.data.mul_(0.5)
        return self.out(value), None, past_key_values
