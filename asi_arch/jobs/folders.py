"""How much a job has written: many small files fill a disk as well as a large one."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from asi_arch.jobs.nameless import nameless_bytes
from asi_arch.records import Limits


def broken_by_files(folder: Path, limits: Limits, pids: Iterable[int]) -> str | None:
    """Return the limit that the files of a job break, be they in its folder or only held open."""
    size = nameless_bytes(pids, folder, limits.file_bytes)
    if size > limits.folder_bytes:
        return "bytes written"
    for count, entry in enumerate(_entries(folder), start=1):
        size += _bytes_of(entry)
        if count > limits.files:
            return "files"
        if size > limits.folder_bytes:
            return "bytes written"
    return "log" if _log_bytes(folder) > limits.log_bytes else None


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder and below it; what vanishes meanwhile is left out."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(Path(entry.path))
    except OSError:
        return


def _bytes_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0


def _log_bytes(folder: Path) -> int:
    try:
        return (folder / "log.txt").lstat().st_size
    except OSError:
        return 0
