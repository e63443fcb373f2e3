"""What a job has written: how much it is, and how to be rid of it."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from asi_arch.jobs.nameless import nameless_bytes
from asi_arch.records import Limits


def broken_by_files(folder: Path, limits: Limits, pids: Iterable[int]) -> str | None:
    """Return the limit that the files of a job break, be they in its folder or only held open."""
    size = nameless_bytes(pids, folder, limits.file_bytes)
    if size > limits.folder_bytes:
        return "bytes written"
    try:
        for count, entry in enumerate(_entries(folder), start=1):
            size += _bytes_of(entry)
            if count > limits.files:
                return "files"
            if size > limits.folder_bytes:
                return "bytes written"
    except OSError:
        return "files"  # what cannot be counted is too much
    return "log" if _log_bytes(folder) > limits.log_bytes else None


def remove(folder: Path) -> None:
    """Remove a folder, however deep and locked generated code has left it."""
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", folder], capture_output=True, check=False)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder and below it; what vanishes meanwhile is left out.

    Raises:
        OSError: a folder cannot be read: it is locked, or its path is too long.
    """
    waiting = [str(folder)]
    while waiting:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _bytes_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0


def _log_bytes(folder: Path) -> int:
    """Return the length of what a job says as it goes on: to people, and about its training."""
    size = 0
    for name in ("log.txt", "metrics.jsonl"):
        with suppress(OSError):
            size += (folder / name).lstat().st_size
    return size
