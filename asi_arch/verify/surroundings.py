"""The code and the tables of others that a program could replace, and what of it has changed."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from operator import is_
from types import CellType, FunctionType, ModuleType
from typing import Any, NamedTuple

import torch

_WATCHED = (
    *("torch", "torch._C", "torch._C._nn", "torch._C._VariableFunctions", "torch._C._linalg"),
    *("torch._C._fft", "torch._C._special", "torch._ops", "torch._tensor", "torch.functional"),
    *("torch.autograd", "torch.autograd.function", "torch.autograd.graph", "torch.fft"),
    *("torch.autograd.grad_mode", "torch.linalg", "torch.nn", "torch.nn.functional"),
    *("torch.nn.init", "torch.nn.parameter", "torch.nn.utils", "torch.nn.utils.clip_grad"),
    *("torch.optim", "torch.optim.lr_scheduler", "torch.overrides", "torch.random"),
    *("torch.serialization", "torch.special", "torch.amp.autocast_mode", "torch.utils.checkpoint"),
    *("torch.utils.hooks", "torch.utils._foreach_utils", "torch._utils", "torch.storage"),
    *("numpy", "numpy.random", "numpy.lib._format_impl", "numpy.lib._npyio_impl", "einops"),
    *("safetensors", "safetensors.torch", "pydantic", "pydantic.main", "asi_arch"),
    *("builtins", "sys", "math", "operator", "itertools", "functools", "collections", "copy"),
    *("os", "posix", "posixpath", "pathlib", "io", "_io", "shutil", "tempfile", "threading"),
    *("random", "json", "json.decoder", "json.encoder", "hashlib", "hmac", "inspect", "time"),
    *("linecache", "traceback", "warnings", "contextlib", "dataclasses", "importlib", "enum"),
    *("pickle", "struct", "weakref", "gc", "typing", "types", "re", "ast", "logging", "abc"),
)
_WATCHED_BELOW = ("asi_arch.", "torch.nn.modules.", "torch.optim.", "torch.backends.")
_ROOTS = {name.partition(".")[0] for name in _WATCHED} | {"fla"}

_OURS = "asi_arch"
_CLOSED = ("builtins", _OURS)
"""Nothing is added to these modules while programs run."""

_OWN = tuple(f"asi_arch.verify.{name}" for name in ("watch", "listening", "surroundings"))
"""Their lists change while they watch."""

_INNER = (_OURS, "torch.nn.", "torch.optim.", "torch.autograd", "torch._tensor")

_TENSOR_TYPES = type(torch.FloatTensor)
"""The kind of what `torch.FloatTensor` and its like are: many, and old."""


class Space(NamedTuple):
    """The names of a module or class: as they are now, and as they were."""

    owner: str
    is_class: bool
    now: Mapping[str, Any]
    before: Mapping[str, Any]


class Table(NamedTuple):
    """Something that holds others: itself, and what it held."""

    name: str
    now: Any
    before: list[Any]


class Surroundings(NamedTuple):
    """What was there at one moment."""

    modules: dict[str, ModuleType]
    spaces: list[Space]
    tables: list[Table]


def look_around() -> Surroundings:
    """Return what is there now: what was there last time, where nothing has changed since."""
    if not _last or _last[0].modules.keys() != _modules().keys() or any(changes(_last[0])):
        _last[:] = [_look_anew()]
    return _last[0]


_last: list[Surroundings] = []


def _look_anew() -> Surroundings:
    modules = _modules()
    watched = {name: vars(module) for name, module in modules.items() if _is_watched(name)}
    watched["torch.ops.aten"] = vars(torch.ops.aten)
    spaces = [Space(name, False, names, names.copy()) for name, names in watched.items()]
    spaces += [Space(_name(c), True, vars(c), vars(c).copy()) for c in _classes(spaces)]
    return Surroundings(modules, spaces, list(_tables(spaces)))


def changes(before: Surroundings) -> Iterator[str]:
    """Yield what is no longer as it was: `replaces torch.nn.functional.dropout`."""
    for space in before.spaces:
        if len(space.now) != len(space.before) or not _same(
            space.now.values(), space.before.values()
        ):
            yield from _changed_names(space)
    for table in before.tables:
        held = _held(table.now)
        if len(held) != len(table.before) or not _same(held, table.before):
            yield f"replaces what is in {table.name}"
    yield from _changed_modules(before.modules)


def _same(first: Iterable[Any], second: Iterable[Any]) -> bool:
    return all(map(is_, first, second))


def _modules() -> dict[str, ModuleType]:
    return {name: m for name, m in sys.modules.items() if name.partition(".")[0] in _ROOTS}


def _is_watched(name: str) -> bool:
    return name in _WATCHED or name.startswith(_WATCHED_BELOW)


def _classes(spaces: list[Space]) -> list[type]:
    values = (value for space in spaces for value in space.before.values())
    found = {id(value): value for value in values if issubclass(type(value), type)}
    return [owner for owner in found.values() if type(owner) is not _TENSOR_TYPES]


def _name(owner: type) -> str:
    return f"{owner.__module__}.{owner.__qualname__}"


def _tables(spaces: list[Space]) -> Iterator[Table]:
    """Yield our tables and settings, and the insides of functions that matter most."""
    for owner, is_class, _, values in spaces:
        if owner.startswith(_INNER) and owner not in _OWN:
            ours = owner.startswith(_OURS) and not is_class
            for name, value in values.items():
                if isinstance(value, FunctionType) or (ours and _is_table(name, value)):
                    held = _held(value)
                    if held:
                        yield Table(f"{owner}.{name}", value, held)


def _is_table(name: str, value: Any) -> bool:
    ours = str(type(value).__module__).startswith(_OURS) and hasattr(value, "__dict__")
    return name != "__builtins__" and (ours or isinstance(value, dict | list | set))


def _held(value: Any) -> list[Any]:
    """Return what a table holds; of a function, defaults by keyword and names it closes over."""
    if isinstance(value, FunctionType):
        return [*(value.__kwdefaults__ or {}).values(), *map(_inside, value.__closure__ or ())]
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return list(value if isinstance(value, list | set) else vars(value).values())


def _inside(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # it is empty


def _changed_names(space: Space) -> Iterator[str]:
    closed = space.is_class or space.owner.startswith(_CLOSED)
    for name, value in list(space.now.items()):
        if name not in space.before:
            if closed and _matters(space, value):
                yield f"adds {space.owner}.{name}"
        elif value is not space.before[name] and _is_replaced(space, name, value):
            yield f"replaces {space.owner}.{name}"
    for name in space.before.keys() - space.now.keys():
        if _matters(space, space.before[name]):
            yield f"removes {space.owner}.{name}"


def _is_replaced(space: Space, name: str, value: Any) -> bool:
    """Whether a new value counts: importing a part of a package does not, nor does a first one."""
    if sys.modules.get(f"{space.owner}.{name}") is value:
        return False
    return _matters(space, space.before[name]) or (space.is_class and _matters(space, value))


def _matters(space: Space, value: Any) -> bool:
    """Whether others rely on such a value; torch keeps counters and caches beside its functions."""
    if isinstance(value, ModuleType):
        return not space.owner.startswith(_CLOSED)
    fixed = isinstance(value, torch.dtype | torch.Generator | float)
    acts = callable(value) or hasattr(type(value), "__get__")
    return fixed or acts or space.owner.startswith(_CLOSED)


def _changed_modules(before: dict[str, ModuleType]) -> Iterator[str]:
    for name, module in before.items():
        if sys.modules.get(name) is not module:
            yield f"replaces the module {name}"
    for name, module in _modules().items():
        if name not in before and getattr(module, "__spec__", None) is None:
            yield f"adds the module {name}"
