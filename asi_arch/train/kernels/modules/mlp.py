"""Gated MLP; stands in for `fla.modules.mlp`."""

from typing import Any

from torch import Tensor, nn

from asi_arch.errors import UserError
from asi_arch.train.kernels.modules.activations import powglu, swiglu

__all__ = ["GatedMLP"]


class GatedMLP(nn.Module):
    """Feed-forward layer down(act(gate(x)) * up(x)) of about hidden_ratio * 2/3 width."""

    def __init__(
        self,
        hidden_size: int,
        hidden_ratio: int | None = None,
        intermediate_size: int | None = None,
        hidden_act: str = "swish",
        fuse_swiglu: bool = True,
        powglu_power: float = 3.0,
    ) -> None:
        super().__init__()
        if hidden_act not in ("swish", "powlu"):
            raise UserError(f"hidden_act {hidden_act!r} is not known; use 'swish' or 'powlu'.")
        ratio = 4 if hidden_ratio is None else hidden_ratio
        if intermediate_size is None:
            intermediate_size = -(-int(hidden_size * ratio * 2 / 3) // 256) * 256
        self.hidden_size, self.hidden_ratio = hidden_size, ratio
        self.intermediate_size, self.hidden_act = intermediate_size, hidden_act
        self.powglu_power = powglu_power
        self.gate_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.up_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, hidden_size, bias=False)

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Map x [..., hidden_size] to the same shape."""
        gate, up = self.gate_proj(x), self.up_proj(x)
        if self.hidden_act == "powlu":
            hidden = powglu(gate, up, self.powglu_power)
        else:
            hidden = swiglu(gate, up)
        out: Tensor = self.down_proj(hidden)
        return out
