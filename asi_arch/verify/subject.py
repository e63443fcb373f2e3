"""The candidate under test: builds fresh layers, makes inputs, runs them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from asi_arch.errors import UserError
from asi_arch.train.layer import (
    WIDTH_NAMES,
    ContractError,
    build_layer,
    call_layer,
    candidate_code,
)
from asi_arch.verify.chance import drawn, seed_all
from asi_arch.verify.compare import HALF_TOLERANCE, TOLERANCE
from asi_arch.verify.settings import VerifySettings

AUTOCAST, BFLOAT16 = "under bfloat16 autocast", "in bfloat16"


@dataclass(frozen=True)
class State:
    """How a layer is set up and called: at its initial parameters or moved away, in which mode.

    `called` is how often it has been called before, in train mode; `layer` its place in the model;
    `size` its width and heads where not those of the settings; `seed` is added to theirs;
    `recorded` says that gradients are; `precision` is AUTOCAST or BFLOAT16.
    """

    perturbed: bool = False
    train: bool = False
    called: int = 0
    layer: int = 0
    size: tuple[int, int] | None = None
    seed: int = 0
    recorded: bool = False
    precision: str = ""

    @property
    def tolerance(self) -> float:
        """Largest relative change of the output that rounding may cause."""
        return HALF_TOLERANCE if self.precision else TOLERANCE

    def __str__(self) -> str:
        parts = (
            "perturbed parameters" if self.perturbed else "initial parameters",
            "train mode" if self.train else "eval mode",
            f"after {self.called} calls" if self.called else "",
            f"layer {self.layer}" if self.layer else "",
            "width {} with {} heads".format(*self.size) if self.size else "",
            f"seed {self.seed}" if self.seed else "",
            "gradients recorded" if self.recorded else "",
            self.precision,
        )
        return ", ".join(part for part in parts if part)


STATES = (
    State(),
    State(perturbed=True),
    State(train=True),
    State(perturbed=True, train=True, recorded=True),
)
"""The last one is called as in training."""


@dataclass(frozen=True)
class Subject:
    """A candidate's layer class and the settings it is examined at.

    Every method is seeded, so the same call gives the same tensors. Whatever the candidate raises
    becomes a ContractError.
    """

    layer: type[nn.Module]
    settings: VerifySettings
    effects: Sequence[str] = ()
    """What was seen while the program was imported that reaches beyond it."""
    source: str = ""
    """The text of the program, where there is one."""
    template: nn.Module | None = None
    """A layer that exists: it is copied instead of constructed, whatever the size."""
    state: State = State()
    """Whose seed, size, precision and recording of gradients hold."""

    def under(self, state: State) -> "Subject":
        """Return the subject with the size and seed of a state, called as that says."""
        hidden_size, num_heads = state.size or (self.settings.hidden_size, self.settings.num_heads)
        settings = replace(
            self.settings,
            hidden_size=hidden_size,
            num_heads=num_heads,
            seed=self.settings.seed + state.seed,
        )
        return replace(self, settings=settings, state=state)

    def build(self, state: State = State(), seed: int | None = None) -> nn.Module:
        """Return a fresh layer in the given state, at the size of the settings."""
        seed_all(self.settings.seed if seed is None else seed)
        module = self.make(self.settings.hidden_size, self.settings.num_heads, state.layer)
        if state.perturbed:
            _perturb(module, self.settings.seed)
        if state.precision == BFLOAT16:
            module.bfloat16()
        for _ in range(state.called):
            self.run(module.train(), self.inputs(1, 2))
        return module.train(state.train)

    def make(self, hidden_size: int, num_heads: int, layer_idx: int = 0) -> nn.Module:
        """Construct the layer, or copy the one that exists."""
        if self.template is None:
            return build_layer(self.layer, hidden_size, num_heads, layer_idx)
        with candidate_code("copying the layer", self.layer.__module__):
            return copy.deepcopy(self.template)

    def inputs(self, batch: int, length: int, seed: int = 0) -> Tensor:
        """Return standard normal hidden states [batch, length, hidden_size]."""
        generator = torch.Generator().manual_seed(self.settings.seed + 1000 * (seed + 1))
        return torch.randn(batch, length, self.settings.hidden_size, generator=generator)

    def run(self, module: nn.Module, hidden_states: Tensor, seed: int | None = None) -> Tensor:
        """Return the output without a graph, from the same random state every time."""
        half, given = self.state.precision, hidden_states
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=half == AUTOCAST)
        with torch.set_grad_enabled(self.state.recorded), autocast:
            if half == BFLOAT16:
                given = given.bfloat16()
            if self.state.recorded:
                given = given.detach().requires_grad_() * 1
            return self.forward(module, given, seed).detach().to(hidden_states.dtype)

    def forward(self, module: nn.Module, hidden_states: Tensor, seed: int | None = None) -> Tensor:
        """Return the output with its graph, from the same random state every time."""
        seed_all(self.settings.seed if seed is None else seed)
        name = self.layer.__module__
        with candidate_code(f"forward on {shape_text(hidden_states)}", name):
            output = call_layer(module, hidden_states)
        other_dtype = output.dtype != hidden_states.dtype and self.state.precision != AUTOCAST
        if output.shape != hidden_states.shape or other_dtype:
            raise ContractError(
                f"the output of {shape_text(hidden_states)} {hidden_states.dtype} is "
                f"{shape_text(output)} {output.dtype}",
                hint="The output must have the shape [batch, length, hidden_size] and the dtype "
                "of hidden_states.",
            )
        return output

    def draws(self, module: nn.Module, hidden_states: Tensor) -> bool:
        """Whether forward takes random numbers, so that rows and lengths cannot be compared."""
        self.run(module, hidden_states)
        return bool(drawn(self.settings.seed))

    def backward(self, loss: Tensor) -> None:
        """Fill the gradients of everything `loss` depends on."""
        if not loss.requires_grad:
            raise ContractError(
                "the output does not depend on any parameter through its graph",
                hint="Do not detach the output or compute it under torch.no_grad().",
            )
        with candidate_code("backward", self.layer.__module__):
            loss.backward()  # type: ignore[no-untyped-call]


def width_of(layer: nn.Module) -> int:
    """Return the hidden size of a layer, as its attributes or its first linear map tell it.

    Raises:
        UserError: neither does.
    """
    for name in WIDTH_NAMES:
        if isinstance(getattr(layer, name, None), int):
            return int(getattr(layer, name))
    for part in layer.modules():
        if isinstance(part, nn.Linear):
            return part.in_features
    raise UserError(f"cannot tell the width of {type(layer).__name__}; give hidden_size")


def shape_text(tensor: Tensor) -> str:
    """Return the shape as `[2, 64, 64]`."""
    return str(list(tensor.shape))


def _perturb(module: nn.Module, seed: int) -> None:
    """Move every parameter by a fifth of its scale, and by at least 0.05.

    A leak behind a gate that starts at zero shows no other way.
    """
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            scale = float(parameter.float().square().mean().sqrt()) if parameter.numel() else 0.0
            parameter.add_(noise, alpha=max(0.2 * scale, 0.05))
