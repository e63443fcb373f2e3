"""Layers with Triton kernels of their own: on a CPU they compute what their `reference` does.

Kernels need a GPU. Triton's interpreter runs them without one, far too slowly to train with; the
check `kernels` uses it to prove that `forward` and `reference` are the same function.
"""

import ast
from typing import Any

from torch import Tensor, nn

KERNEL_FORWARD = "kernel_forward"
"""Attribute under which such a layer keeps the forward it was written with."""

REFERENCE = "reference"
NO_REFERENCE = (
    "Add `def reference(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs)` "
    "to the layer: the same computation in plain PyTorch, with the same result as forward."
)


def brings_kernels(tree: ast.Module) -> bool:
    """Whether a program imports Triton."""
    return any(
        name.partition(".")[0] == "triton" for node in ast.walk(tree) for name in _imported(node)
    )


def choose_by_device(layer: type[nn.Module]) -> None:
    """Make `forward` run the kernels for tensors on a GPU, and the reference for others."""
    kernels: Any = layer.forward
    reference: Any = getattr(layer, REFERENCE)

    def forward(self: nn.Module, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        run = kernels if hidden_states.is_cuda else reference
        return run(self, hidden_states, *args, **kwargs)

    setattr(layer, KERNEL_FORWARD, kernels)
    layer.forward = forward


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
