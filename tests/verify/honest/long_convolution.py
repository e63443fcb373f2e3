"""A convolution as long as the sequence, by an FFT padded to twice the length."""

import torch
from torch import nn


class LongConvolution(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.decay = nn.Parameter(torch.linspace(0.1, 2.0, hidden_size))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        length = hidden_states.shape[1]
        time = torch.arange(length).to(hidden_states).unsqueeze(-1)
        kernel = torch.exp(-nn.functional.softplus(self.decay) * time)
        spectrum = torch.fft.rfft(hidden_states, n=2 * length, dim=1)
        spectrum = spectrum * torch.fft.rfft(kernel, n=2 * length, dim=0)
        mixed = torch.fft.irfft(spectrum, n=2 * length, dim=1)[:, :length]
        return self.out(mixed), None, past_key_values
