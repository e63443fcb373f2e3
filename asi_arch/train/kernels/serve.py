"""Answers imports of `fla` with the stand-ins of this package.

Three kinds of names are served: packages and modules of the tables below; the real installed
source of fla's layers, models, feature maps and naive references, executed against the
stand-ins; and nothing else: any other name is refused with a sentence.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_HERE = __name__.rpartition(".")[0]

SERVED: dict[str, tuple[str, ...]] = {
    "fla.ops.delta_rule": ("ops.delta_rule",),
    "fla.ops.gated_delta_rule": ("ops.gated_delta_rule",),
    "fla.ops.gated_delta_rule.gate": ("ops.gates",),
    "fla.ops.gla": ("ops.gla",),
    "fla.ops.kda": ("ops.kda",),
    "fla.ops.kda.gate": ("ops.gates",),
    "fla.ops.linear_attn": ("ops.linear_attn",),
    "fla.ops.retention": ("ops.retention",),
    "fla.ops.simple_gla": ("ops.simple_gla",),
    "fla.ops.utils": ("ops.index",),
    "fla.modules.activations": ("modules.activations",),
    "fla.modules.causal_conv1d": ("modules.convolution",),
    "fla.modules.conv": ("modules.convolution",),
    "fla.modules.convolution": ("modules.convolution",),
    "fla.modules.fused_cross_entropy": ("modules.losses",),
    "fla.modules.fused_linear_cross_entropy": ("modules.losses",),
    "fla.modules.fused_norm_gate": ("modules.norms", "modules.norm_functions"),
    "fla.modules.l2norm": ("modules.norms", "modules.norm_functions"),
    "fla.modules.layernorm": ("modules.norms", "modules.norm_functions"),
    "fla.modules.layernorm_gated": ("modules.norms", "modules.norm_functions"),
    "fla.modules.mlp": ("modules.mlp",),
    "fla.modules.norm": ("modules.norms", "modules.norm_functions"),
    "fla.modules.rotary": ("modules.rotary",),
    "fla.modules.token_shift": ("modules.token_shift",),
    "fla.utils": ("utils",),
}
"""Import path in fla: our modules whose `__all__` it offers. One line adds an operator."""

PACKAGES = ("fla", "fla.ops", "fla.modules", "fla.layers", "fla.models")
REAL_PACKAGES = ("fla.layers", "fla.models")
REAL_MODULES = ("fla.modules.feature_map", "fla.modules.l2warp")


def start_serving() -> None:
    """Put the finder in front of Python's own; does nothing the second time."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if "fla" in sys.modules:
        raise ImportError("The real fla is already imported here; call install() before it.")
    spec = importlib.util.find_spec("fla")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    sys.meta_path.insert(0, _Finder(folders))


class _Finder(MetaPathFinder):
    """Decides which names under `fla` are stand-ins, and which are the real source."""

    def __init__(self, folders: list[str]) -> None:
        self.folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "fla" or _is_real(fullname):
            return None
        if fullname not in PACKAGES and _row(fullname) is None:
            raise ImportError(_refusal(fullname), name=fullname)
        spec = ModuleSpec(fullname, _Loader(), is_package=True)
        below = fullname.split(".")[1:]
        spec.submodule_search_locations = [str(Path(f, *below)) for f in self.folders]
        return spec


class _Loader(Loader):
    """Fills a stand-in with the public names of the modules behind it."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        row = _row(module.__name__)
        sources = SERVED[row] if row else _members(module.__name__)
        for source in sources:
            ours = importlib.import_module(f"{_HERE}.{source}")
            vars(module).update({name: getattr(ours, name) for name in ours.__all__})
        public = [name for name in vars(module) if not name.startswith("_")]
        vars(module)["__all__"] = sorted(public)


class _StandIn(ModuleType):
    """A module that knows what it does not serve."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        full = f"{self.__name__}.{name}"
        home = _class_homes(self.__name__, tuple(self.__path__)).get(name)
        if home is not None:
            return getattr(importlib.import_module(f"{self.__name__}.{home}"), name)
        if full in PACKAGES or full in SERVED or _is_real(full):
            return importlib.import_module(full)
        # not an AttributeError: `from fla.ops import x` would replace the sentence by its own
        raise ImportError(_refusal(full), name=full)


def _is_real(name: str) -> bool:
    """Tell whether the installed source itself is executed under this name."""
    if name in REAL_MODULES or (name.startswith("fla.ops.") and name.endswith(".naive")):
        return True
    return any(name.startswith(f"{package}.") for package in REAL_PACKAGES)


def _row(name: str) -> str | None:
    """Find the table row of a name; `<row>.chunk` and such are served by the row itself."""
    if name in SERVED:
        return name
    parent = name.rpartition(".")[0]
    return parent if parent in SERVED else None


def _members(package: str) -> tuple[str, ...]:
    """List the modules behind a package: those of all its rows."""
    rows = (row for row in SERVED if row.rpartition(".")[0] == package)
    return tuple(dict.fromkeys(source for row in rows for source in SERVED[row]))


@cache
def _class_homes(package: str, folders: tuple[str, ...]) -> dict[str, str]:
    """Map each class that a real package exports to its file, read without running it."""
    if package not in REAL_PACKAGES:
        return {}
    files = [Path(folder, "__init__.py") for folder in folders]
    tree = ast.parse("".join(file.read_text() for file in files if file.is_file()))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module)
    return {
        alias.name: str(node.module).removeprefix(f"{package}.")
        for node in imports
        for alias in node.names
    }


def _refusal(name: str) -> str:
    """Say what is missing and what there is: the chunked operators, or the module classes."""
    package = "fla.modules" if name.startswith("fla.modules") else "fla.ops"
    names = vars(importlib.import_module(package))["__all__"]
    served = [n for n in names if n.startswith("chunk_") or n[0].isupper()]
    return f"{name} has no CPU implementation; served on the CPU: {', '.join(served)}."
