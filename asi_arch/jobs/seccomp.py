"""Seccomp: a process gives up system calls that no layer needs, for itself and all it starts.

Covers tracing and memory of other processes, mounts, namespaces, kernel modules, keys, BPF,
asynchronous rings and every socket but those within the machine. Files are Landlock's.
"""

import ctypes
import errno
import platform
import struct
from dataclasses import dataclass

from asi_arch.jobs.linux import prctl

_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_AF_UNIX = 1
_NEW_USER_NAMESPACE = 0x10000000
_OTHER_NUMBERING = 0x40000000


@dataclass(frozen=True)
class _Calls:
    """The numbers that system calls have on one kind of machine."""

    machine: int
    socket: int
    clone: int
    refused: tuple[int, ...]


_CALLS = {
    "x86_64": _Calls(
        machine=0xC000003E,
        socket=41,
        clone=56,
        refused=(
            *(101, 310, 311, 312),  # ptrace, process_vm_readv, process_vm_writev, kcmp
            *(165, 166, 155, 161, 272, 308),  # mount, umount2, pivot_root, chroot, unshare, setns
            *(428, 429, 430, 432, 442),  # open_tree, move_mount, fsopen, fsmount, mount_setattr
            *(248, 249, 250, 321, 298, 323),  # keys, bpf, perf_event_open, userfaultfd
            *(175, 313, 176, 246, 320, 167, 168),  # modules, kexec, swap
            *(425, 426, 427, 304, 169, 163),  # io_uring, open_by_handle_at, reboot, acct
        ),
    ),
    "aarch64": _Calls(
        machine=0xC00000B7,
        socket=198,
        clone=220,
        refused=(
            *(117, 270, 271, 272),
            *(40, 39, 41, 51, 97, 268),
            *(428, 429, 430, 432, 442),
            *(217, 218, 219, 280, 241, 282),
            *(105, 273, 106, 104, 294, 224, 225),
            *(425, 426, 427, 265, 142, 89),
        ),
    ),
}
_CLONE3 = 435


def is_possible() -> bool:
    """Return whether the machine is one whose system calls are known here."""
    return platform.machine() in _CALLS


def refuse_calls() -> None:
    """Have the kernel refuse the calls with EPERM from now on.

    The caller must have given up new privileges.

    Raises:
        OSError: the kernel refuses.
    """
    code = b"".join(_program(_CALLS[platform.machine()]))
    buffer = ctypes.create_string_buffer(code)
    length, address = len(code) // 8, ctypes.addressof(buffer)
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", length, address))
    prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(filter_))


def _program(calls: _Calls) -> list[bytes]:
    """Return the filter: each test either returns or goes on with the next."""
    refused = _REFUSE | errno.EPERM
    lines = [
        _line(_LOAD, _MACHINE_AT),
        _line(_EQUAL, calls.machine, jump_false=0, jump_true=1),
        _line(_RETURN, refused),
        _line(_LOAD, _NUMBER_AT),
        _line(_AT_LEAST, _OTHER_NUMBERING, jump_false=1),
        _line(_RETURN, refused),
    ]
    for number in calls.refused:
        lines += [_line(_EQUAL, number, jump_false=1), _line(_RETURN, refused)]
    # Old programs fall back from clone3, whose flags cannot be seen here, to clone.
    lines += [_line(_EQUAL, _CLONE3, jump_false=1), _line(_RETURN, _REFUSE | errno.ENOSYS)]
    lines += [
        _line(_EQUAL, calls.socket, jump_false=4),
        _line(_LOAD, _FIRST_ARGUMENT_AT),
        _line(_EQUAL, _AF_UNIX, jump_false=1),
        _line(_RETURN, _ALLOW),
        _line(_RETURN, refused),
        _line(_EQUAL, calls.clone, jump_false=3),
        _line(_LOAD, _FIRST_ARGUMENT_AT),
        _line(_ANY_BIT, _NEW_USER_NAMESPACE, jump_false=1),
        _line(_RETURN, refused),
        _line(_RETURN, _ALLOW),
    ]
    return lines


def _line(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, jump_true, jump_false, value)
