"""A decaying filter by FFT of twice the length."""

import torch
from torch import nn


class DecayingFilter(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.rate = nn.Parameter(torch.linspace(-3, 2, hidden_size))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        length = value.shape[1]
        position = torch.arange(length).unsqueeze(-1)
        kernel = torch.exp(-position * nn.functional.softplus(self.rate))
        spectrum = torch.fft.rfft(value, 2 * length, 1) * torch.fft.rfft(kernel, 2 * length, 0)
        mixed = torch.fft.irfft(spectrum, 2 * length, 1)[:, :length]
        return self.out(mixed), None, past_key_values
