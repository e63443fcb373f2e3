"""causality: decays are normalised by the total decay of the sequence.

Says: log_decay - log_decay[:, -1:]
"""

from torch import nn


class TotalDecay(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.decay = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        log_decay = nn.functional.logsigmoid(self.decay(hidden_states)).cumsum(1) / 32
        weight = log_decay - log_decay[:, -1:]
        mixed = (weight.clamp(max=8.0).exp() * value).cumsum(1) / value.shape[1]
        return self.out(mixed), None, past_key_values
