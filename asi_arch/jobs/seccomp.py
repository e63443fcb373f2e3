"""Seccomp: a process gives up system calls that no layer needs, for itself and all it starts.

Covers new processes (a fork bomb outruns whoever counts; threads are allowed, and with a GPU the
compilers that Triton starts), tracing, limits and memory of other processes, mounts, namespaces,
kernel modules, keys, BPF, asynchronous rings, owners and modes of files, queues and memory that
outlive a process, memory that no limit sees, and every connection: sockets are there in pairs only.
Files are Landlock's.
"""

import ctypes
import errno
import platform
import struct

from asi_arch.jobs.calls import REFUSED, REFUSED_WITHOUT_GPU, SPECIAL, Numbers
from asi_arch.jobs.linux import prctl

_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_REFUSE = _FAIL | errno.EPERM
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
_OTHER_NUMBERING = 0x40000000
_ALL_BITS = 0xFFFFFFFF

_AF_UNIX = 1
_THREAD = 0x10000
_OTHER_PROGRAM = 0x4000
_NEW_USER_NAMESPACE = 0x10000000
_SET_DUMPABLE = 4
_SHARED_WITHOUT_FILE = 0x21

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def is_possible() -> bool:
    """Return whether the system calls of this machine are known and its kernel filters them."""
    try:
        prctl(_SET_SECCOMP, _FILTER, 0)
    except OSError as error:
        return error.errno == errno.EFAULT and platform.machine() in _MACHINES
    return False


def refuse_calls(gpu: bool) -> None:
    """Have the kernel refuse the calls from now on, but for what a GPU's driver may need.

    The caller must have given up new privileges.

    Raises:
        OSError: the kernel refuses.
    """
    code = b"".join(_program(platform.machine(), gpu))
    buffer = ctypes.create_string_buffer(code)
    length, address = len(code) // 8, ctypes.addressof(buffer)
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", length, address))
    prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(filter_))


def _program(machine: str, gpu: bool) -> list[bytes]:
    """Return the filter: each test either returns or goes on with the next."""
    lines = [
        _line(_LOAD, _MACHINE_AT),
        _line(_EQUAL, _MACHINES[machine], jump_true=1),
        _line(_RETURN, _REFUSE),
        _line(_LOAD, _NUMBER_AT),
        _line(_AT_LEAST, _OTHER_NUMBERING, jump_false=1),
        _line(_RETURN, _REFUSE),
    ]
    answers = _special_answers(gpu)
    for name, numbers in _calls(gpu).items():
        number = _number(numbers, machine)
        if number is not None:
            answer = answers.get(name, [_line(_RETURN, _REFUSE)])
            lines += [_line(_EQUAL, number, jump_false=len(answer)), *answer]
    return [*lines, _line(_RETURN, _ALLOW)]


def _calls(gpu: bool) -> dict[str, Numbers]:
    return REFUSED | SPECIAL if gpu else REFUSED | SPECIAL | REFUSED_WITHOUT_GPU


def _number(numbers: Numbers, machine: str) -> int | None:
    return numbers[list(_MACHINES).index(machine)]


def _special_answers(gpu: bool) -> dict[str, list[bytes]]:
    """Return what follows the number of each special call; it always ends in a return."""
    return {
        "socket": _if_equal(0, _AF_UNIX, then=_ALLOW, otherwise=_REFUSE),
        # As if nobody listened: who looks for a daemon goes on without.
        "connect": [_line(_RETURN, _FAIL | errno.ENOENT)],
        "sendto": _unless_null(4),
        "prlimit64": _unless_null(2),
        "prctl": _if_equal(0, _SET_DUMPABLE),
        "clone": _if_clone(_THREAD | _OTHER_PROGRAM if gpu else _THREAD),
        # Old programs fall back from clone3, whose flags cannot be seen here, to clone.
        "clone3": [_line(_RETURN, _FAIL | errno.ENOSYS)],
        "mmap": [_line(_RETURN, _ALLOW)]
        if gpu
        else _if_equal(3, _SHARED_WITHOUT_FILE, bits=_SHARED_WITHOUT_FILE),
    }


def _if_equal(
    argument: int, value: int, bits: int = _ALL_BITS, then: int = _REFUSE, otherwise: int = _ALLOW
) -> list[bytes]:
    return [
        _line(_LOAD, _ARGUMENTS_AT + 8 * argument),
        _line(_AND, bits),
        _line(_EQUAL, value, jump_false=1),
        _line(_RETURN, then),
        _line(_RETURN, otherwise),
    ]


def _if_clone(kinds: int) -> list[bytes]:
    """Allow what has one of the flags in `kinds`, and no user namespace of its own."""
    return [
        _line(_LOAD, _ARGUMENTS_AT),
        _line(_ANY_BIT, _NEW_USER_NAMESPACE, jump_true=1),
        _line(_ANY_BIT, kinds, jump_true=1),
        _line(_RETURN, _REFUSE),
        _line(_RETURN, _ALLOW),
    ]


def _unless_null(argument: int) -> list[bytes]:
    """Refuse a call that hands over this pointer."""
    low = _ARGUMENTS_AT + 8 * argument
    return [
        _line(_LOAD, low),
        _line(_EQUAL, 0, jump_false=3),
        _line(_LOAD, low + 4),
        _line(_EQUAL, 0, jump_false=1),
        _line(_RETURN, _ALLOW),
        _line(_RETURN, _REFUSE),
    ]


def _line(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, jump_true, jump_false, value)
