"""state: statistics of earlier calls in a variable of the program."""

from torch import nn

HISTORY = []


class GlobalStatistics(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        HISTORY.append(float(value.detach()[0, 0].square().mean()))
        mixed = value * (1 + 0.01 * len(HISTORY))
        return self.out(mixed), None, past_key_values
