"""Files that have lost their name while a process holds them: they fill a disk or memory unseen."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_DELETED = b" (deleted)"


def nameless_bytes(pids: Iterable[int], folder: Path, most: int) -> int:
    """Return the bytes of such files that the processes hold open, or mapped from `folder`.

    One that is mapped only cannot be measured from outside: it counts as `most` bytes.
    """
    opened: dict[int, int] = {}
    mapped: set[int] = set()
    for pid in pids:
        opened.update(_opened(pid))
        mapped.update(_mapped(pid, os.fsencode(folder)))
    return sum(opened.values()) + most * len(mapped - set(opened))


def _opened(pid: int) -> Iterator[tuple[int, int]]:
    """Yield number and bytes; a thread may have a table of open files to itself."""
    for entry in Path(f"/proc/{pid}/task").glob("*/fd/*"):
        try:
            found = entry.stat()
        except OSError:
            continue
        if found.st_nlink == 0 and stat.S_ISREG(found.st_mode):
            yield found.st_ino, found.st_blocks * 512


def _mapped(pid: int, folder: bytes) -> Iterator[int]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        if line.endswith(_DELETED) and folder in line:
            yield int(line.split()[4])
