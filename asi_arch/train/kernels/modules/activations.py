"""Activations; stand in for `fla.modules.activations`."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "ACT2FN",
    "elu_p1",
    "fast_gelu_impl",
    "logsigmoid",
    "powglu",
    "powglu_linear",
    "sigmoid",
    "sigmoidglu",
    "sigmoidglu_linear",
    "sqrelu",
    "swiglu",
    "swiglu_linear",
    "swish",
]

sigmoid = torch.sigmoid
swish = F.silu


def elu_p1(x: Tensor) -> Tensor:
    """ELU plus one: a positive feature map."""
    return (F.elu(x) + 1.0).to(x.dtype)


def fast_gelu_impl(x: Tensor) -> Tensor:
    """GELU in its tanh approximation."""
    return F.gelu(x, approximate="tanh")


def logsigmoid(x: Tensor, temperature: float = 1.0) -> Tensor:
    """Log of the sigmoid, divided by a temperature."""
    return F.logsigmoid(x) / temperature


def sqrelu(x: Tensor) -> Tensor:
    """Square of the positive part."""
    return F.relu(x).square()


def swiglu(x: Tensor, y: Tensor) -> Tensor:
    """Return silu(x) * y."""
    return F.silu(x) * y


def sigmoidglu(x: Tensor, y: Tensor) -> Tensor:
    """Return sigmoid(x) * y."""
    return torch.sigmoid(x) * y


def powglu(x: Tensor, y: Tensor, power: float = 3.0) -> Tensor:
    """Return y * sigmoid(x) * (x ** (power / (sqrt(x) + 1)) where x > 0, else x)."""
    positive = torch.where(x > 0, x, 1.0)
    raised = positive ** (power / (positive.sqrt() + 1.0))
    return torch.where(x > 0, raised, x) * torch.sigmoid(x) * y


def swiglu_linear(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`swiglu`, then a linear map."""
    return F.linear(swiglu(x, y), weight, bias)


def sigmoidglu_linear(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`sigmoidglu`, then a linear map."""
    return F.linear(sigmoidglu(x, y), weight, bias)


def powglu_linear(
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None, power: float = 3.0
) -> Tensor:
    """`powglu`, then a linear map."""
    return F.linear(powglu(x, y, power), weight, bias)


ACT2FN: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "sigmoid": sigmoid,
    "logsigmoid": logsigmoid,
    "silu": swish,
    "swish": swish,
    "sqrelu": sqrelu,
    "gelu": fast_gelu_impl,
}
