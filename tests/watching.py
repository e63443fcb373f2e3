"""Look at processes from outside."""

import time
from collections.abc import Callable
from pathlib import Path

from asi_arch.jobs.linux import processes


def working_in(folder: Path) -> list[int]:
    """Return the processes that stand in the folder or below it."""
    found = []
    for process in processes():
        try:
            place = Path(f"/proc/{process.pid}/cwd").readlink()
        except OSError:
            continue
        if place.is_relative_to(folder):
            found.append(process.pid)
    return found


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Return whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()
