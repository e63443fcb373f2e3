"""What a layer and its program hold: copies of all values that can be reached, by name."""

import functools
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextvars import ContextVar
from types import FunctionType, GeneratorType, MethodType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Snapshot = dict[str, Any]

_DEEPEST = 5
_PLAIN = (int, float, complex, str, bytes, range, type(None), np.generic)


def snapshot(module: nn.Module) -> Snapshot:
    """Return copies of all tensors and plain values of a layer, its parts and its program."""
    name = type(module).__module__
    seen = {id(part): part for part in module.modules()}
    holders = [(part_name, vars(part)) for part_name, part in module.named_modules()]
    program = {k: v for k, v in vars(sys.modules[name]).items() if not k.startswith("__")}
    found: Snapshot = {}
    for prefix, values in (*holders, ("", program), *_own_classes(program, name)):
        for key, value in values.items():
            if key != "_modules":
                found.update(_flat(f"{prefix}.{key}".strip("."), value, name, seen))
    return found


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """Names of what is not as it was, as a program would write them."""
    names = [name for name in {**before, **after} if _differ(before.get(name), after.get(name))]
    return [name.replace("_buffers.", "").replace("_parameters.", "") for name in names]


def _differ(old: Any, new: Any) -> bool:
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        return not torch.equal(old.nan_to_num(), new.nan_to_num())
    return type(old) is not type(new) or (old != new and (old == old or new == new))


def _own_classes(program: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what the classes that the program itself defines hold."""
    for value in list(program.values()):
        if isinstance(value, type) and value.__module__ == name:
            own = {k: v for k, v in vars(value).items() if k in _CALLED or not k.startswith("__")}
            yield value.__name__, own


_CALLED = ("__init__", "__call__")


def _flat(
    name: str, value: Any, program: str, seen: dict[int, Any], depth: int = _DEEPEST
) -> Iterator[tuple[str, Any]]:
    """Yield plain values and tensors in a value; `seen` keeps alive what was looked into."""
    if isinstance(value, _PLAIN):
        yield name, value
        return
    if isinstance(value, Tensor):
        yield name, value.detach().clone()
    if depth and id(value) not in seen:
        seen[id(value)] = value
        for key, item in _parts(value, program).items():
            yield from _flat(f"{name}.{key}".strip("."), item, program, seen, depth - 1)


def _parts(value: Any, program: str) -> Mapping[Any, Any]:
    """Return what an object holds, as far as it can change and belongs to the program."""
    for kind, read in _READERS.items():
        if isinstance(value, kind):
            return read(value)
    if isinstance(value, FunctionType):
        return _of_function(value) if value.__module__ == program else {}
    if isinstance(value, Iterator) and not isinstance(value, GeneratorType):
        return _of_iterator(value)
    return _attributes(value) if type(value).__module__ == program else {}


def _of_function(function: FunctionType) -> Mapping[Any, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closure = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    defaults: dict[Any, Any] = dict(enumerate(function.__defaults__ or ()))
    return {**closure, **defaults, **(function.__kwdefaults__ or {}), **vars(function)}


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _of_iterator(iterator: Any) -> Mapping[str, Any]:
    try:
        return {"state": iterator.__reduce__()[1:]}
    except (TypeError, AttributeError):
        return _attributes(iterator)


def _of_generator(generator: Any) -> Mapping[str, Any]:
    frame = generator.gi_frame
    return {"position": frame.f_lasti, **frame.f_locals} if frame else {}


def _attributes(value: Any) -> Mapping[str, Any]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return {n: getattr(value, n) for n in slots if hasattr(value, n)} | getattr(
        value, "__dict__", {}
    )


def _of_sequence(values: Sequence[Any]) -> Mapping[Any, Any]:
    return {"length": len(values), **dict(enumerate(values))}


_READERS: dict[type | tuple[type, ...], Callable[[Any], Mapping[Any, Any]]] = {
    Mapping: dict,
    Set: lambda items: {"length": len(items), "items": str(sorted(map(repr, items)))},
    np.ndarray: lambda array: {"bytes": array.tobytes()},
    (Tensor, nn.Module, SimpleNamespace): vars,
    Sequence: _of_sequence,
    GeneratorType: _of_generator,
    MethodType: lambda method: {"self": method.__self__, "function": method.__func__},
    (staticmethod, classmethod): lambda method: {"function": method.__func__},
    property: lambda value: {"get": value.fget},
    functools.partial: lambda call: {
        "function": call.func,
        **call.keywords,
        **dict(enumerate(call.args)),
    },
    functools._lru_cache_wrapper: lambda call: {"size": call.cache_info().currsize},
    torch.Generator: lambda generator: {"state": generator.get_state()},
    random.SystemRandom: lambda generator: {},
    random.Random: lambda generator: {"state": repr(generator.getstate())},
    np.random.Generator: lambda generator: generator.bit_generator.state,
    np.random.RandomState: lambda generator: generator.get_state(legacy=False),
    threading.local: vars,
    ContextVar: lambda variable: {"value": variable.get(None)},
}
