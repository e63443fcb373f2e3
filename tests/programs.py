"""Small programs that tests hand to jobs."""

PLAIN = '''"""Mean of the past, gated: a plain honest layer."""

import torch
from torch import nn


class RunningMean(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size)
        self.gate = nn.Linear(hidden_size, hidden_size)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, use_cache=False,
                output_attentions=False, **kwargs):
        value = self.value(hidden_states).cumsum(1)
        steps = torch.arange(1, hidden_states.shape[1] + 1, dtype=value.dtype)
        return value / steps[:, None] * self.gate(hidden_states).sigmoid(), None, past_key_values
'''

PEEKING = PLAIN.replace(".cumsum(1)", ".flip(1).cumsum(1).flip(1)")

LOOKAHEAD = PLAIN.replace(".cumsum(1)", ".roll(-1, 1)")

EXPLODING = PLAIN.replace("return value", "return value / 0.0 * value")


def at_import(*lines: str) -> str:
    """Return a program that runs `lines` when it is imported, and is honest otherwise."""
    return "\n".join(lines) + "\n" + PLAIN
