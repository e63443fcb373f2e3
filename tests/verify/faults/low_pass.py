"""causality: the high frequencies of the sequence are cut by FFT.

Says: irfft(spectrum * kept
"""

import torch
from torch import nn


class LowPass(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length = value.shape[1]
        spectrum = torch.fft.rfft(value, n=2 * length, dim=1)
        kept = (torch.arange(spectrum.shape[1]) <= length // 2).to(value).view(1, -1, 1)
        mixed = value + torch.fft.irfft(spectrum * kept, n=2 * length, dim=1)[:, :length]
        return self.out(mixed), None, past_key_values
