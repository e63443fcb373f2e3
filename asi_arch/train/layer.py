"""Load a candidate program, find its layer, build it and call it."""

import ast
import inspect
import linecache
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType

from torch import Tensor, nn

from asi_arch.errors import AsiArchError
from asi_arch.train.reference import NO_REFERENCE, REFERENCE, brings_kernels, choose_by_device

WIDTH_NAMES = ("hidden_size", "d_model")
HEADS_NAMES = ("num_heads", "n_heads")
INPUT_NAMES = ("hidden_states", "x")
INTERFACE = (
    "Define one torch.nn.Module with __init__(self, hidden_size, num_heads, layer_idx=None, "
    "**kwargs) and forward(self, hidden_states, ...)."
)


class ContractError(AsiArchError):
    """A candidate does not do what the contract asks; it becomes a finding about the candidate."""

    def __init__(self, message: str, evidence: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.evidence = evidence
        self.hint = hint


def load_layer(source: str, module_name: str = "candidate") -> type[nn.Module]:
    """Execute a program as the module `module_name` and return its one layer class.

    Raises:
        ContractError: the program does not compile, fails when imported, or has no layer or two.
    """
    tree = _parse(source, module_name)
    module = ModuleType(module_name)
    module.__file__ = _file_name(module_name)
    lines = source.splitlines(keepends=True)
    linecache.cache[module.__file__] = (len(source), None, lines, module.__file__)
    sys.modules[module_name] = module
    with candidate_code("importing the program", module_name):
        exec(compile(tree, module.__file__, "exec", dont_inherit=True), module.__dict__)
    layer = _find_layer(module, tree)
    if brings_kernels(tree):
        if not hasattr(layer, REFERENCE):
            raise ContractError("a layer with Triton kernels has no reference", hint=NO_REFERENCE)
        choose_by_device(layer)
    return layer


def build_layer(
    layer: type[nn.Module], hidden_size: int, num_heads: int, layer_idx: int = 0
) -> nn.Module:
    """Construct the layer with those of hidden_size, d_model, num_heads, layer_idx it knows.

    Raises:
        ContractError: its `__init__` fails.
    """
    named, accepts_any = _parameters(layer)
    known = {name: hidden_size for name in WIDTH_NAMES if name in named}
    known |= {name: num_heads for name in HEADS_NAMES if name in named}
    if accepts_any and not any(name in known for name in HEADS_NAMES):
        known["num_heads"] = num_heads
    if "layer_idx" in named or accepts_any:
        known["layer_idx"] = layer_idx
    with candidate_code(
        f"constructing {layer.__name__}({hidden_size}, {num_heads})", layer.__module__
    ):
        return layer(**known)


def call_layer(module: nn.Module, hidden_states: Tensor) -> Tensor:
    """Return the output [batch, length, hidden_size], alone or first in a tuple, for such an input.

    Raises:
        ContractError: the output is not a tensor.
    """
    output = module(hidden_states)
    if isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor):
        raise ContractError(
            f"forward returned {type(output).__name__}, not a tensor",
            hint="Return the output tensor, or (output, None, past_key_values) as fla layers do.",
        )
    return output


@contextmanager
def candidate_code(action: str, module_name: str = "candidate") -> Iterator[None]:
    """Turn whatever a candidate raises while it does `action` into a ContractError.

    The evidence is the last line of the program that was being executed.
    """
    try:
        yield
    except ContractError:
        raise
    # Generated code may raise anything, and may try to leave.
    except (Exception, SystemExit) as error:
        raise ContractError(
            f"{action} failed: {type(error).__name__}: {_first_line(error)}",
            evidence=_last_line(error, module_name),
            hint="Mend the line shown; it must work for every batch size, length and size.",
        ) from error


def program_line(frame: FrameType, number: int) -> str:
    """Return `line 12, in Layer.forward: x = x.view(3)` for a line of a running program."""
    code = frame.f_code
    text = linecache.getline(code.co_filename, number).strip()
    return f"line {number}, in {code.co_qualname}: {text}"


def _file_name(module_name: str) -> str:
    return f"<{module_name}>"


def _parse(source: str, module_name: str) -> ast.Module:
    try:
        return ast.parse(source, _file_name(module_name))
    except SyntaxError as error:
        raise ContractError(
            f"the program is not valid Python: {error.msg} (line {error.lineno})",
            evidence=f"line {error.lineno}: {(error.text or '').strip()}",
            hint="Mend the syntax of the line shown.",
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ContractError(f"the program is not valid Python: {error}") from error


def _find_layer(module: ModuleType, tree: ast.Module) -> type[nn.Module]:
    """Return the fitting class that no other fitting class constructs or extends."""
    fitting = [value for value in _module_classes(module) if _fits(value)]
    uses = {cls: _names_used(cls, tree) for cls in fitting}
    outermost = [
        cls
        for cls in fitting
        if not any(
            cls.__name__ in uses[other] or issubclass(other, cls)
            for other in fitting
            if other is not cls
        )
    ]
    found = outermost or fitting
    if len(found) != 1:
        raise ContractError(_describe_choice(found, module), hint=INTERFACE)
    return found[0]


def _module_classes(module: ModuleType) -> list[type[nn.Module]]:
    values = dict.fromkeys(v for v in vars(module).values() if isinstance(v, type))
    return [v for v in values if issubclass(v, nn.Module) and v.__module__ == module.__name__]


def _fits(cls: type[nn.Module]) -> bool:
    named, accepts_any = _parameters(cls)
    sized = any(name in named for name in WIDTH_NAMES)
    headed = accepts_any or any(name in named for name in HEADS_NAMES)
    arguments = list(inspect.signature(cls.forward).parameters)[1:2]
    return sized and headed and arguments[:1] in [[name] for name in INPUT_NAMES]


def _parameters(cls: type[nn.Module]) -> tuple[set[str], bool]:
    """Names that `__init__` takes, and whether it takes any other keyword."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = {p.name for p in parameters if p.kind not in variadic}
    return named, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def _names_used(cls: type, tree: ast.Module) -> set[str]:
    bodies = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    ]
    names = {n.id for body in bodies for n in ast.walk(body) if isinstance(n, ast.Name)}
    return names - {cls.__name__}


def _describe_choice(found: list[type[nn.Module]], module: ModuleType) -> str:
    if found:
        names = ", ".join(cls.__name__ for cls in found)
        return f"the program has {len(found)} layers ({names}); it must have one"
    names = ", ".join(cls.__name__ for cls in _module_classes(module)) or "none"
    return f"the program has no layer with the interface asked for (torch modules in it: {names})"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]


def _last_line(error: BaseException, module_name: str) -> str:
    steps = traceback.walk_tb(error.__traceback__)
    own = [step for step in steps if step[0].f_code.co_filename == _file_name(module_name)]
    return program_line(*own[-1]) if own else ""
