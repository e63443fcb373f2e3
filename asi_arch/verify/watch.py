"""Watch what a program does to the process it runs in.

Sees what passes through Python: replaced functions, changed settings, audited events (files,
sockets, processes, ctypes) and calls of clocks and seeds from the program's own lines. Machine
code that a program brings along is not seen here; the sandbox holds it.
"""

import gc
import importlib
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import torch

from asi_arch.train.layer import program_line

_PROGRAM = "<candidate>"
_OWNERS = (
    *(
        "torch",
        "torch.nn",
        "torch.nn.functional",
        "torch.nn.init",
        "torch.autograd",
        "torch.linalg",
    ),
    *("torch.optim", "torch.fft", "torch.random", "torch.utils.checkpoint", "safetensors.torch"),
    *(
        "builtins",
        "math",
        "os",
        "os.path",
        "sys",
        "io",
        "json",
        "time",
        "random",
        "pathlib",
        "numpy",
    ),
)
_CLASSES = (torch.Tensor, torch.nn.Module, torch.nn.Linear, torch.nn.Parameter)
_EVENTS = (
    "open",
    "os.",
    "socket.",
    "subprocess.",
    "ctypes.",
    "shutil.",
    "tempfile.",
    "pty.",
    "fcntl.",
)
_HARMLESS = ("os.listxattr", "os.getxattr", "ctypes.get_errno")
_CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
_CLOCKS |= {"process_time", "process_time_ns", "now", "utcnow", "today"}
_SEEDS = {"manual_seed", "seed", "set_rng_state", "set_state", "setstate", "manual_seed_all"}
_EXCUSED = ("importlib", "_dynamo", "_inductor", "triton", "torch/compiler")
"""Importing and compiling reads and writes files; a program may ask for both."""


_PYTHONS = getattr(random.seed, "__self__", None)
"""The generator behind the functions of the module `random`."""

_active: list[list[str]] = []
"""The list that is being written to, if any; an audit hook cannot be taken away again."""


@contextmanager
def watch() -> Iterator[list[str]]:
    """Collect what the program does; the list is complete when the context ends."""
    seen: list[str] = []
    _settle()
    before = _state()
    patches = _functions()
    _listen(seen)
    try:
        yield seen
    finally:
        _stop()
        seen += [
            f"replaces {name}"
            for name, value in _functions().items()
            if _is_new(patches, name, value)
        ]
        seen += [f"changes {name}" for name, value in _state().items() if value != before[name]]


@cache
def _settle() -> None:
    """Train one number: torch replaces some of its own functions when it first does so."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        number = torch.nn.Linear(1, 1)
        for kind in (torch.optim.SGD, torch.optim.AdamW):
            number(torch.zeros(1, 1)).sum().backward()
            kind(number.parameters(), lr=0.1).step()


def _is_new(before: dict[str, Any], name: str, value: Any) -> bool:
    return name in before and before[name] is not value


def _functions() -> dict[str, Any]:
    """Return the functions and classes that others call, by name."""
    found: dict[str, Any] = {}
    for module in _modules():
        for name, value in vars(module).items():
            if callable(value) and not isinstance(value, ModuleType):
                found[f"{module.__name__}.{name}"] = value
                if isinstance(value, type) and value.__module__ == module.__name__:
                    found.update(_methods(value))
    for owner in (*_CLASSES, *torch.optim.__dict__.values()):
        if isinstance(owner, type):
            found.update(_methods(owner))
    return found


def _methods(owner: type) -> dict[str, Any]:
    kept = (name for name in vars(owner) if not name.startswith("_abc"))
    return {
        f"{owner.__module__}.{owner.__qualname__}.{n}": vars(owner)[n]
        for n in kept
        if callable(vars(owner)[n])
    }


def _modules() -> list[ModuleType]:
    ours = [module for name, module in sys.modules.items() if name.startswith("asi_arch.")]
    return [*map(importlib.import_module, _OWNERS), *ours]


def _state() -> dict[str, Any]:
    """Return the settings that belong to everybody."""
    hooks = torch.nn.modules.module
    return {
        "the default dtype of torch": torch.get_default_dtype(),
        "the default device of torch": torch.get_default_device(),
        "whether torch keeps gradients": torch.is_grad_enabled(),
        "whether torch looks for anomalies": torch.is_anomaly_enabled(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "the number of torch threads": torch.get_num_threads(),
        "the precision of float32 products": torch.get_float32_matmul_precision(),
        "whether autocast is on": torch.is_autocast_enabled("cpu"),
        "the modes of torch": _modes(),
        "the hooks of all modules": (
            len(hooks._global_forward_hooks),
            len(hooks._global_forward_pre_hooks),
            len(hooks._global_backward_hooks),
        ),
        "the environment": dict(os.environ),
        "the working folder": Path.cwd(),
        "the path of modules": list(sys.path),
        "the threads of the process": sorted(t.name for t in threading.enumerate()),
        "the number of open files": len(list(Path("/proc/self/fd").iterdir())),
        "the handlers of signals": [signal.getsignal(n) for n in signal.valid_signals()],
        "the garbage collector": (gc.isenabled(), gc.get_threshold(), len(gc.callbacks)),
        "what is done with exceptions": (sys.excepthook, sys.unraisablehook),
        "the tracing of Python": sys.gettrace(),
        "the recursion limit": sys.getrecursionlimit(),
    }


def _modes() -> tuple[int, int]:
    return torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()


def _listen(seen: list[str]) -> None:
    if not _audited:
        sys.addaudithook(_on_event)
        _audited.append(True)
    _active.append(seen)
    sys.setprofile(_on_call)


_audited: list[bool] = []


def _stop() -> None:
    sys.setprofile(None)
    _active.pop()


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    """Note an audited event that a line of the program has caused."""
    if not _active or not event.startswith(_EVENTS) or event in _HARMLESS:
        return
    what = f"{event}({', '.join(repr(a)[:60] for a in arguments[:2])})"
    _note_line(f"asks the system for {what}", sys._getframe(1), _EXCUSED)


def _on_call(frame: FrameType, event: str, argument: Any) -> None:
    """Note that a line of the program asks a clock or seeds a generator."""
    if event == "c_call":
        name, module = argument.__name__, str(getattr(argument, "__module__", ""))
        owner = getattr(argument, "__self__", None)
    elif event == "call":
        name, module = frame.f_code.co_name, str(frame.f_globals.get("__name__", ""))
        owner = frame.f_locals.get("self")
    else:
        return
    if name in _CLOCKS and module in ("time", "datetime", "None", ""):
        _note_line(f"looks at the clock ({name})", frame)
    elif name in _SEEDS and _belongs_to_all(owner):
        _note_line(f"sets the state of a random generator ({name})", frame)


def _belongs_to_all(generator: Any) -> bool:
    """Whether a generator is one that others draw from too."""
    own = isinstance(generator, torch.Generator | random.Random)
    return not own or generator is torch.default_generator or generator is _PYTHONS


def _note_line(what: str, frame: FrameType, excused: tuple[str, ...] = ()) -> None:
    line = _blame(frame, excused)
    if line:
        _note(f"{what} at {line}")


def _note(text: str) -> None:
    if _active and text not in _active[-1]:
        _active[-1].append(text)


def _blame(frame: FrameType | None, excused: tuple[str, ...]) -> str:
    """Return the line of the program behind `frame`, unless excused code lies between."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file == _PROGRAM:
            return program_line(frame, frame.f_lineno)
        if any(part in file for part in excused):
            return ""
        frame = frame.f_back
    return ""
