"""The few Linux calls that Python does not offer; where they are missing, they say so."""

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_CAPABILITIES_3 = 0x20080522
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *values: int) -> None:
    """Change a property of this process.

    Raises:
        OSError: the kernel refuses.
    """
    padded = [*values, 0, 0, 0, 0][:4]
    if _libc().prctl(option, *map(ctypes.c_ulong, padded)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, process `parent`, is gone.

    The number is as this process sees it: 0 for a parent in another namespace.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent has ended."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def give_up_privileges() -> None:
    """Hold no capability from now on, and gain none by starting a program that has some."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    header, nothing = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    _libc().capset(header, nothing)


def leave_network() -> bool:
    """Move this process into a network namespace without any interface up; False if refused."""
    return _leave(_CLONE_NEWNET)


def number_processes_anew() -> bool:
    """Have children see and signal none but each other; the next one will be their first."""
    return _leave(_CLONE_NEWPID | _CLONE_NEWIPC)


def can(attempt: Callable[[], bool]) -> bool:
    """Return whether a process like this one could do that, without this one doing it."""
    pid = os.fork()
    if pid == 0:
        with suppress(OSError):
            os._exit(0 if attempt() else 1)
        os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _leave(namespaces: int) -> bool:
    """Enter new namespaces, with the help of a user namespace where the user is not root.

    Raises:
        OSError: this process has lost its name on the way; see `can`.
    """
    user, group = os.getuid(), os.getgid()
    if _libc().unshare(namespaces) == 0:
        return True
    if _libc().unshare(_CLONE_NEWUSER | namespaces) != 0:
        return False
    me = Path("/proc/self")
    (me / "setgroups").write_text("deny")
    (me / "uid_map").write_text(f"{user} {user} 1")
    (me / "gid_map").write_text(f"{group} {group} 1")
    return True


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    pid: int
    parent: int
    session: int
    memory_bytes: int
    threads: int


def processes() -> list[Process]:
    """Return all processes that can be seen."""
    found = (_read_process(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None]


def family(pid: int, table: list[Process]) -> list[Process]:
    """Return those of `table` that are in the session of process `pid` or descend from it."""
    members = {process.pid for process in table if process.session == pid} | {pid}
    while True:
        joining = {p.pid for p in table if p.parent in members} - members
        if not joining:
            return [process for process in table if process.pid in members]
        members |= joining


def _read_process(entry: Path) -> Process | None:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    parent, session, threads, pages = (int(fields[at]) for at in (1, 3, 17, 21))
    return Process(int(entry.name), parent, session, pages * _PAGE, threads)
