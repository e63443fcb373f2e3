"""Layers of flash-linear-attention by their names, as programs like any other."""

import ast
import importlib.util
from functools import cache
from pathlib import Path

from asi_arch.errors import UserError

_PROGRAM = '''"""{name} as flash-linear-attention {version} has it."""

from typing import Any

from fla.layers import {name}


class Fla{name}({name}):
    """The layer with its own defaults, at a given width and number of heads."""

    def __init__(
        self, hidden_size: int, num_heads: int, layer_idx: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__({arguments})
'''

_GIVEN = {
    "hidden_size": "hidden_size",
    "d_model": "hidden_size",
    "num_heads": "num_heads",
    "layer_idx": "layer_idx",
}
_NEEDED: dict[str, dict[str, str | None]] = {
    "Mamba2": {"head_dim": "2 * hidden_size // num_heads", "n_groups": "1"},
    "RWKV7Attention": {
        "layer_idx": "layer_idx or 0",
        "head_dim": "hidden_size // num_heads",
        "num_heads": None,
        "num_hidden_layers": "24",
    },
    "HGRN2Attention": {"expand_ratio": "hidden_size // num_heads", "num_heads": None},
}
"""What some layers ask for beside that, or must not be given."""


def layer_names() -> list[str]:
    """Return the layers that the installed fla has."""
    return sorted(_homes())


def layer_program(name: str) -> str:
    """Return the program of a layer.

    Raises:
        UserError: fla has none of that name.
    """
    if name not in _homes():
        raise UserError(f"fla has no layer {name!r}; choose from: {', '.join(layer_names())}")
    given = {key: value for key, value in _GIVEN.items() if key in _parameters(name)}
    wanted = {key: value for key, value in {**given, **_NEEDED.get(name, {})}.items() if value}
    arguments = ", ".join(f"{key}={value}" for key, value in wanted.items())
    return _PROGRAM.format(name=name, version=_version(), arguments=arguments)


def _version() -> str:
    from importlib.metadata import version

    return version("flash-linear-attention")


@cache
def _homes() -> dict[str, Path]:
    """Map each public layer to its file, without importing fla."""
    spec = importlib.util.find_spec("fla")
    folder = Path(*(spec.submodule_search_locations or ()) if spec else ()) / "layers"
    tree = ast.parse((folder / "__init__.py").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    return {
        alias.name: folder / f"{str(node.module).rpartition('.')[2]}.py"
        for node in imports
        for alias in node.names
    }


def _parameters(name: str) -> set[str]:
    """Return what the layer's `__init__` takes, read from its source."""
    tree = ast.parse(_homes()[name].read_text())
    layer = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)
    functions = (n for n in layer.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    return {arg.arg for function in functions for arg in function.args.args}
