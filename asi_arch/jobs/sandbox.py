"""What a job may touch: its own folder, the files it was promised, and nothing else.

The fork server starts inside Bubblewrap where that works: a read-only system, with processes and
a network of its own. Each job then enters namespaces for its processes, drops all privileges, and
gives up files (Landlock) and system calls (seccomp); its temporary files are in its folder. What a
machine does not offer is left out and said: `Protections` tells what is there.

Not covered: what the job can do inside its own process, such as forging what that process
reports (the audit of trained weights is for that), and time that it spends.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from asi_arch.errors import UserError
from asi_arch.jobs import landlock, seccomp
from asi_arch.jobs.linux import give_up_privileges
from asi_arch.records import Job, Protections

_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt/cuda"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/passwd"),
    *("/dev/random", "/dev/urandom", "/sys/devices/system", "/proc/self"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/driver/nvidia", "/sys/module/nvidia"),
)
_DEVICES = ("/dev/null", "/dev/dri", "/dev/nvidia-caps", "/dev/nvidiactl", "/dev/nvidia-uvm")
_PROBE_SECONDS = 20

INSIDE_BUBBLEWRAP = "ASI_ARCH_INSIDE_BUBBLEWRAP"
"""Set in the environment of a fork server that was started so."""


def enter(job: Job, folder: Path, gpu: bool) -> None:
    """Give up all but what the job in `folder`, and a GPU, need; there is no way back."""
    give_up_privileges()
    if landlock.version():
        landlock.confine(
            reads=[*_readable(), *map(Path, job.reads)],
            writes=[folder, *map(Path, job.writes), *_devices()],
        )
    if seccomp.is_possible():
        seccomp.refuse_calls(gpu)


def _readable() -> list[Path]:
    """Return the system, this interpreter with its packages, and our own code."""
    ours = Path(__file__).parents[1]
    packages = [Path(entry) for entry in sys.path if entry.endswith("-packages")]
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return [*map(Path, _SYSTEM), ours, *packages, *prefixes, *(Path(p) for p in libraries if p)]


def _devices() -> list[Path]:
    return [*map(Path, _DEVICES), *Path("/dev").glob("nvidia[0-9]*")]


def wrapped(command: Sequence[str], root: Path) -> list[str]:
    """Return the command that starts `command` inside Bubblewrap, with `root` to write to.

    Where Bubblewrap is not installed, not allowed or does not start this interpreter, that is the
    command itself.
    """
    program = shutil.which("bwrap")
    if program is None:
        return list(command)
    around = [program, *_ARGUMENTS, *_shown_devices(), "--bind", str(root), str(root)]
    around += ["--setenv", INSIDE_BUBBLEWRAP, "1"]
    probe = [*around, sys.executable, "-c", ""]
    return [*around, *command] if _works(probe) else list(command)


_ARGUMENTS = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000"),
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
)


def _shown_devices() -> list[str]:
    return [word for path in map(str, _devices()) for word in ("--dev-bind-try", path, path)]


def _works(command: list[str]) -> bool:
    try:
        tried = subprocess.run(command, capture_output=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def describe(found: Protections) -> str:
    """Return in one line what is kept from jobs and what is not."""
    kept = ", ".join(name for name in KEPT if getattr(found, name)) or "nothing"
    inside = " inside Bubblewrap" if found.bubblewrap else ""
    missing = "".join(f"; NOT PROTECTED: {text}" for text in gaps(found).values())
    return f"sandbox{inside}, kept from jobs: {kept}{missing}"


KEPT = {
    "files": "jobs read what they need and write their own folder only",
    "network": "closed to jobs",
    "processes": "jobs see and signal none but their own",
    "calls": "jobs cannot start processes, connect, trace, mount, or change owners and modes",
}
"""What each protection keeps from jobs."""

_MEANINGS = {
    "files": "jobs can read what you can read and write where you can write",
    "network": "jobs can reach the network",
    "processes": "jobs can signal and watch your other processes",
    "calls": "jobs can make every system call there is",
}
FIXES = {
    "files": "needs Linux 5.13 or later with Landlock",
    "network": "needs x86_64 or aarch64, or user namespaces, or: apt install bubblewrap",
    "processes": "allow user namespaces, or: apt install bubblewrap",
    "calls": "needs x86_64 or aarch64",
}


def gaps(found: Protections) -> dict[str, str]:
    """Return what is missing, and what a job can do because of it."""
    return {name: text for name, text in _MEANINGS.items() if not getattr(found, name)}


def require(found: Protections) -> None:
    """Refuse to go on without the protections that count.

    Raises:
        UserError: one of them is missing.
    """
    missing = [name for name in ("files", "network", "processes") if name in gaps(found)]
    if missing:
        why = "; ".join(f"{_MEANINGS[name]} ({FIXES[name]})" for name in missing)
        raise UserError(f"sandbox = require, and this machine does not protect: {why}")
