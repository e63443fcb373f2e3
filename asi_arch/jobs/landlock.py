"""Landlock: a process gives up all files but those it names, for itself and all it starts.

Covers reading, writing, making and removing of files, and, from version 6 on, signals and abstract
sockets to processes outside. Needs Linux 5.13 or later with Landlock switched on; no privilege.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_ONLY = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_SCOPE_SOCKETS_AND_SIGNALS = 3


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Return the version of Landlock that the kernel speaks, 0 where it has none."""
    return max(0, _call(_CREATE, None, 0, _VERSION_ONLY))


def scopes_signals() -> bool:
    """Return whether a confined process can be kept from signalling those outside."""
    return version() >= 6


def confine(reads: Iterable[Path], writes: Iterable[Path]) -> None:
    """Give up all files but those below `reads`, to read, and below `writes`, to do anything.

    What does not exist is left out. The caller must have given up new privileges.

    Raises:
        OSError: the kernel refuses.
    """
    rights = _rights()
    wanted = _Ruleset(rights, 0, _SCOPE_SOCKETS_AND_SIGNALS if scopes_signals() else 0)
    ruleset = _checked(_CREATE, ctypes.byref(wanted), ctypes.sizeof(wanted), 0)
    for paths, allowed in ((reads, _READ), (writes, rights)):
        for path in paths:
            _allow(ruleset, path, allowed & rights)
    _checked(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _rights() -> int:
    """Return every right on files that this version can take away."""
    bits = {1: 13, 2: 14, 3: 15, 4: 15}.get(version(), 16)
    return (1 << bits) - 1


def _allow(ruleset: int, path: Path, allowed: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there, or not ours to see
    try:
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            allowed &= _ON_FILES
        rule = _Beneath(allowed, file)
        _checked(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(file)


def _checked(number: int, *arguments: object) -> int:
    result = _call(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))
