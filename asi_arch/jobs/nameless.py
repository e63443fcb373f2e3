"""Files that have lost their name while a process holds them: they fill a disk or memory unseen."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_DELETED = b" (deleted)"
_SOCKET_BYTES = 2**19
"""What may be under way in a socket, in the memory of the kernel."""


def nameless_bytes(pids: Iterable[int], folder: Path, most: int) -> int:
    """Return the bytes of such files, and of sockets, that processes hold open or mapped.

    A file from `folder` that is mapped only cannot be measured: it counts as `most` bytes.
    """
    opened: dict[tuple[int, int], int] = {}
    mapped: set[int] = set()
    for pid in pids:
        opened.update(_opened(pid))
        mapped.update(_mapped(pid, os.fsencode(folder)))
    return sum(opened.values()) + most * len(mapped - {number for _, number in opened})


def _opened(pid: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield device, number and bytes; a thread may have a table of open files to itself."""
    for entry in Path(f"/proc/{pid}/task").glob("*/fd/*"):
        try:
            found = entry.stat()
        except OSError:
            continue
        if stat.S_ISSOCK(found.st_mode):
            yield (found.st_dev, found.st_ino), _SOCKET_BYTES
        elif found.st_nlink == 0 and stat.S_ISREG(found.st_mode):
            yield (found.st_dev, found.st_ino), found.st_blocks * 512


def _mapped(pid: int, folder: bytes) -> Iterator[int]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        if line.endswith(_DELETED) and folder in line:
            yield int(line.split()[4])
