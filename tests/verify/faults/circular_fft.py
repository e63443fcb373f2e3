"""causality: a long convolution by FFT without zero padding.

Says: FFT without
"""

import torch
from torch import nn


class CircularConvolution(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.decay = nn.Parameter(torch.linspace(0.5, 4.0, hidden_size))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        length = hidden_states.shape[1]
        time = torch.arange(length, dtype=hidden_states.dtype)
        kernel = torch.exp(-self.decay.abs() * time.unsqueeze(-1))
        spectrum = torch.fft.rfft(hidden_states, dim=1) * torch.fft.rfft(kernel, dim=0)
        mixed = torch.fft.irfft(spectrum, n=length, dim=1)
        return self.out(mixed), None, past_key_values
