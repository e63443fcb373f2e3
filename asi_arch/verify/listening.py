"""Hear what a program asks Python and the system for: audited events, and calls of its own lines.

Files, sockets, processes, ctypes, frames and the insides of functions raise events; clocks, seeds,
threads and settings do not, so that calls are listened to. What C calls from C is not heard.
"""

import inspect
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType, ModuleType
from typing import Any

import torch

from asi_arch.train.layer import program_line

_PROGRAM = "<candidate>"
_EXCUSED = ("importlib", "_dynamo", "_inductor", "triton", "torch/compiler")
"""Importing and compiling touches files; a program may ask for both."""

_TIMED = (*_EXCUSED, "/logging/")
"""Compiling is timed, and each message has a time."""

_SYSTEM = (
    *("open", "os.", "socket.", "subprocess.", "ctypes.", "shutil.", "tempfile.", "pty."),
    *("fcntl.", "mmap.", "signal.", "resource.", "syslog.", "sqlite3.", "glob.", "urllib."),
)
_HARMLESS = ("os.listxattr", "os.getxattr", "ctypes.get_errno")
_PRYING = {
    "sys._getframe": "looks at the frames of its callers",
    "sys._current_frames": "looks at the frames of all threads",
    "gc.get_objects": "looks at all objects",
    "gc.get_referrers": "looks at all objects",
    "gc.get_referents": "looks into objects",
    "sys.settrace": "traces Python",
    "sys.setprofile": "traces Python",
    "sys.addaudithook": "listens to all events",
    "marshal.loads": "makes code from bytes",
}
_HEARD = (*_SYSTEM, *_PRYING, "object.", "compile", "code.__new__")
_FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")
_INSIDES = ("__code__", "__defaults__", "__kwdefaults__", "__bases__", "__class__")

_CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
_CLOCKS |= {"process_time", "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime"}
_CLOCKS |= {"clock_gettime_ns", "localtime", "gmtime", "ctime", "now", "utcnow", "today"}
_SEEDS = {"manual_seed", "seed", "set_rng_state", "set_state", "setstate", "manual_seed_all"}
_PYTHONS = getattr(random.seed, "__self__", None)
"""The generator behind the functions of the module `random`."""

_ASKED = ("posix", "atexit", "resource", "signal", "faulthandler", "_locale", "fcntl", "select")
_UNASKED = ("fspath", "cpu_count", "get_terminal_size", "sched_getaffinity")
_MAPPINGS = ("<frozen os>", "<frozen _collections_abc>", os.__file__)

_notes: list[list[str]] = []
"""The list that is being written to, if any; an audit hook cannot be taken away again."""
_filters: list[Any] = []
"""The filters of warnings when listening began, to tell them from a copy of the program's own."""


@contextmanager
def listening(seen: list[str], calls: bool) -> Iterator[None]:
    """Add to `seen` what the program asks for, until the context ends; without `calls`, events."""
    if not _audited:
        sys.addaudithook(_on_event)
        _audited.append(True)
    _notes.append(seen)
    _filters.append(warnings.filters)
    before = sys.getprofile()
    sys.setprofile(_on_call if calls else None)
    try:
        yield
    finally:
        sys.setprofile(before)
        _filters.pop()
        _notes.pop()


@contextmanager
def deaf() -> Iterator[None]:
    """Hear no calls for a while: each costs a microsecond."""
    before = sys.getprofile()
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(before)


_audited: list[bool] = []
_hearing: list[bool] = []


def note(seen: list[str], text: str) -> None:
    """Add a text that is not there yet."""
    if text not in seen:
        seen.append(text)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    """Hear an audited event, unless it is raised by this hook itself."""
    if not _notes or not event.startswith(_HEARD) or _hearing:
        return
    _hearing.append(True)
    try:
        _hear(event, arguments, sys._getframe(1))
    finally:
        _hearing.pop()


def _hear(event: str, arguments: tuple[Any, ...], frame: FrameType) -> None:
    """Note an event that a line of the program has caused."""
    if event in _PRYING:
        _note_near(_PRYING[event], frame, inspect.__file__)
    elif event.startswith("object."):
        _on_attribute(event, arguments, frame)
    elif event.startswith(_SYSTEM) and event not in _HARMLESS:
        what = f"{event}({', '.join(repr(a)[:60] for a in arguments[:2])})"
        _note_line(f"asks the system for {what}", frame, _EXCUSED)
    elif event in ("compile", "code.__new__") and _is_disguise(arguments[1]):
        _note_line("disguises code as that of a library", frame, _EXCUSED)


def _is_disguise(file: Any) -> bool:
    return isinstance(file, str) and any(part in file for part in _TIMED)


def _on_attribute(event: str, arguments: tuple[Any, ...], frame: FrameType) -> None:
    """Note that frames are read off an error, or that a function of others gets new insides."""
    owner, name = arguments[:2]
    if name in _FRAMES:
        _note_near("looks at the frames of its callers", frame, inspect.__file__)
    elif event == "object.__setattr__" and name in _INSIDES and _is_of_others(owner):
        _note_line(f"replaces {name} of {_title(owner)}", frame, _EXCUSED)


def _is_of_others(owner: Any) -> bool:
    if isinstance(owner, FunctionType):
        names = owner.__globals__  # those of a named tuple belong to no module
        return "__spec__" in names and names["__name__"] != "candidate"
    if isinstance(owner, type):
        return owner.__module__ != "candidate"
    return isinstance(owner, ModuleType) or type(owner).__module__.startswith("asi_arch.")


def _title(owner: Any) -> str:
    if isinstance(owner, ModuleType):
        return f"the module {owner.__name__}"
    named = owner if isinstance(owner, type | FunctionType) else type(owner)
    return f"{named.__module__}.{named.__qualname__}"


def _on_call(frame: FrameType, event: str, argument: Any) -> None:
    """Note what a call means for others; this runs at each call, so most are dropped at once."""
    if event == "c_call":
        _on_c_call(frame, argument)
    elif event == "call" and frame.f_back is not None:
        _on_python_call(frame, frame.f_back)


def _on_c_call(frame: FrameType, function: Any) -> None:
    name, module = function.__name__, function.__module__
    if name in _CLOCKS and module in ("time", None):
        _note_line(f"looks at the clock ({name})", frame, _TIMED)
    elif name in _SEEDS and _belongs_to_all(function.__self__):
        _note_line(f"sets the state of a random generator ({name})", frame)
    elif name == "urandom":
        _note_line("draws random numbers that no seed repeats", frame, _EXCUSED)
    elif name == "start_new_thread":
        _note_line("starts a thread", frame, _EXCUSED)
    elif module in _ASKED and name not in _UNASKED:
        _note_near(f"asks the system for {module}.{name}", frame)
    elif name.startswith("set_") and str(module).startswith("torch"):
        _note_near(f"changes a setting of torch ({name})", frame)


def _on_python_call(frame: FrameType, caller: FrameType) -> None:
    code = frame.f_code
    name = code.co_name
    if name in _SEEDS and _belongs_to_all(frame.f_locals.get("self")):
        _note_line(f"sets the state of a random generator ({name})", frame)
    elif code in _ENVIRONMENT:
        _note_near("reads the environment", caller, *_MAPPINGS)
    elif code in _WARNINGS and warnings.filters is _filters[-1]:
        _note_near("changes the filters of warnings", caller)
    elif name in _SETTINGS or name.startswith("set_"):
        _on_setter(name, frame, caller)


_ENVIRONMENT = {f.__code__ for f in (type(os.environ).__getitem__, type(os.environ).__iter__)}
_WARNINGS = {f.__code__ for f in (warnings.filterwarnings, warnings.simplefilter)}
_SETTINGS = ("use_deterministic_algorithms", "manual_seed_all")


def _on_setter(name: str, frame: FrameType, caller: FrameType) -> None:
    """Note that a program calls a function of torch that sets something, even for a moment."""
    module = str(frame.f_globals.get("__name__"))
    if module.startswith("torch") and "self" not in frame.f_locals:
        _note_near(f"changes a setting of torch ({name})", caller)


def _belongs_to_all(generator: Any) -> bool:
    """Whether a generator is one that others draw from too."""
    own = isinstance(generator, torch.Generator | random.Random)
    return not own or generator is torch.default_generator or generator is _PYTHONS


def _note_line(what: str, frame: FrameType, excused: tuple[str, ...] = ()) -> None:
    """Note what a line of the program causes, be it through code of others."""
    line = _blame(frame, excused)
    if line:
        note(_notes[-1], f"{what} at {line}")


def _note_near(what: str, frame: FrameType | None, *between: str) -> None:
    """Note what a line of the program does itself, at most through the files `between`."""
    while frame is not None and frame.f_code.co_filename in between:
        frame = frame.f_back
    if frame is not None and frame.f_code.co_filename == _PROGRAM:
        note(_notes[-1], f"{what} at {program_line(frame, frame.f_lineno)}")


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
