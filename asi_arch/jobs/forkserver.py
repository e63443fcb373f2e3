"""A process that has torch loaded and forks one child per job.

A fork costs milliseconds where a fresh process pays seconds for importing torch. Generated code
runs in the children only. Commands come on standard input, a GPU and a job folder a line; for each,
one JSON line goes to standard output when it has ended and every process it started is gone. When
standard input closes (the campaign has ended, or was killed), everything is killed.

Limits: wall clock, resident memory of all processes of the job, number of processes and threads,
open files, bytes and files in its folder, bytes of open files without a name and of sockets, bytes
of its log, address space. A process that leaves the session of its job still counts as the job's;
when its parent ends, this process adopts it and kills it.
"""

import errno
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from asi_arch.jobs import landlock, seccomp
from asi_arch.jobs.folders import broken_by_files
from asi_arch.jobs.gpus import VISIBLE
from asi_arch.jobs.linux import (
    Process,
    adopt_orphans,
    can,
    die_with_parent,
    family,
    leave_network,
    number_processes_anew,
    processes,
)
from asi_arch.jobs.paths import JobPaths
from asi_arch.jobs.sandbox import INSIDE_BUBBLEWRAP, enter
from asi_arch.jobs.worker import DISK_FULL, run_job
from asi_arch.records import Job, Limits, Protections

_POLL_SECONDS = 0.5
_CLEARING_ROUNDS = 100
_MOST_FILES = 4096
_THREADS_EACH = 16
_NICENESS = 5
"""Jobs give way to the process that watches them."""

_PRELOADED = (
    "asi_arch.evaluate.hidden",
    "asi_arch.evaluate.probe",
    "asi_arch.evaluate.score",
    "asi_arch.verify",
    "safetensors.torch",
)


@dataclass
class Child:
    """A running job: the process `pid` leads its session."""

    pid: int
    folder: str
    limits: Limits
    started: float = field(default_factory=time.monotonic)
    broken_limit: str = ""

    def overdue(self) -> bool:
        """Whether the wall clock has run out."""
        return time.monotonic() - self.started > self.limits.seconds


def preload() -> None:
    """Import what every job needs, once."""
    import torch

    from asi_arch.train.kernels import install
    from asi_arch.verify.watch import settle

    torch.set_num_threads(1)
    install()
    for name in _PRELOADED:
        importlib.import_module(name)
    _take_a_step()
    settle()
    gc.freeze()


def _take_a_step() -> None:
    """Train one number for one step: torch loads 900 modules when it first does so."""
    import torch

    from asi_arch.train.trainer import fit

    number = torch.nn.Linear(1, 1)
    list(fit(number, [number(torch.zeros(1, 1)).sum()], steps=1, learning_rate=0.1))


def start(folder: str, gpu: str, own_processes: bool) -> Child:
    """Fork a child that does the job in `folder` and sees one GPU, or none if that is empty.

    It is among processes of its own where that works.
    """
    job = JobPaths(Path(folder)).read_job()
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.environ[VISIBLE] = gpu
        _be_the_child(Path(folder), job, server, own_processes)
    return Child(pid, folder, job.limits)


def _be_the_child(folder: Path, job: Job, server: int, own_processes: bool) -> NoReturn:
    """Lead a session; where possible the work is done by a child that sees no other process."""
    status = 1
    try:
        os.setsid()
        die_with_parent(server)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if not (own_processes and number_processes_anew()):
            status = _work(folder, job)
        elif (first := os.fork()) == 0:
            die_with_parent(0)
            status = _work(folder, job)
        else:
            status = _outcome(first)
    finally:
        _leave(status)


def _outcome(first: int) -> int:
    """Wait for the first process of the job and end as it did."""
    code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


def _work(folder: Path, job: Job) -> int:
    import torch

    try:
        os.nice(_NICENESS)
        _redirect(folder)
        gpu = torch.cuda.is_available()
        _limit(job.limits, gpu)
        token = JobPaths(folder).take_token()
        enter(job, folder, gpu)
        run_job(folder, token)
    except OSError as error:
        return DISK_FULL if error.errno == errno.ENOSPC else 1
    return 0


def _leave(status: int) -> NoReturn:
    """End this process here and now, even where generated code has broken its streams."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _redirect(folder: Path) -> None:
    """Give the child an empty input, its log as output, its folder to work in, and nothing else."""
    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, _MOST_FILES)
    os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def _limit(limits: Limits, gpu: bool) -> None:
    """Lower what the kernel itself enforces; the address space only where no GPU maps it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.files, limits.files))
    if not gpu:
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        space = mapped + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (space, space))


class Server:
    """The loop: take commands, watch the children, report the ends."""

    def __init__(self) -> None:
        self.own_processes = can(number_processes_anew)
        self.children: dict[int, Child] = {}
        self.unread = b""
        self.wake, wake_write = os.pipe()
        for end in (self.wake, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Work until standard input closes, then leave no process behind."""
        try:
            while self._take_commands():
                self._reap()
                self._enforce()
        finally:
            for child in self.children.values():
                _kill_group(child)
                self._clear_away(child)

    def _take_commands(self) -> bool:
        ready, _, _ = select.select([0, self.wake], [], [], _POLL_SECONDS)
        if self.wake in ready:
            os.read(self.wake, 4096)
        if 0 not in ready:
            return True
        data = os.read(0, 65536)
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            gpu, _, folder = line.decode().partition("\t")
            child = start(folder, gpu, self.own_processes)
            self.children[child.pid] = child
        return bool(data)

    def _reap(self) -> None:
        """Report every child that has ended, after ending what it left.

        A process keeps its number until it is waited for, so nobody else's can be hit.
        """
        while (pid := _ended_child()) is not None:
            child = self.children.pop(pid, None)
            if child is not None:
                self._clear_away(child)
            _, status = os.waitpid(pid, 0)
            if child is not None:
                _report(child, os.waitstatus_to_exitcode(status))

    def _clear_away(self, child: Child) -> None:
        """Kill what the job started until it is gone: inside the kernel that takes a moment."""
        for _ in range(_CLEARING_ROUNDS):
            left = [p for p in processes() if p.session == child.pid] + self._orphans()
            if not left:
                return
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.02)

    def _orphans(self) -> list[Process]:
        """Return the processes that outlived the job which started them: our children now."""
        me = os.getpid()
        return [p for p in processes() if p.parent == me and p.pid not in self.children]

    def _enforce(self) -> None:
        """Kill the jobs that broke a limit, and those who fled from theirs."""
        table = processes() if self.children else []
        for child in self.children.values():
            group = family(child.pid, table)
            if child.overdue():
                child.broken_limit = "timeout"
            elif sum(process.memory_bytes for process in group) > _memory_limit(child, group):
                child.broken_limit = "memory"
            elif max(len(group), _threads(group)) > child.limits.processes:
                child.broken_limit = "processes"
            else:
                pids = [process.pid for process in group]
                broken = broken_by_files(Path(child.folder), child.limits, pids)
                child.broken_limit = broken or ""
            if child.broken_limit:
                _kill_group(child)
        for process in self._orphans() if table else ():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def _memory_limit(child: Child, group: list[Process]) -> int:
    """Bytes the job may hold, beside what every fork inherits: all of this process but files."""
    _, resident, of_files, *_ = map(int, Path("/proc/self/statm").read_text().split())
    inherited = (resident - of_files) * resource.getpagesize()
    return child.limits.memory_bytes + inherited * len(group)


def _threads(group: list[Process]) -> int:
    """Return as how many processes the threads of a job count."""
    return sum(process.threads for process in group) // _THREADS_EACH


def _kill_group(child: Child) -> None:
    """End the process group of a child that has not been waited for."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(child.pid, signal.SIGKILL)


def _ended_child() -> int | None:
    """Return the number of a child that has ended, None if none has."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if ended is None else ended.si_pid


def _report(child: Child, code: int) -> None:
    line = {"folder": child.folder, "code": code, "broken_limit": child.broken_limit}
    os.write(1, (json.dumps(line) + "\n").encode())


def main() -> None:
    """Get ready, say so, and serve."""
    adopt_orphans()
    found = protections()
    preload()
    os.write(1, (found.model_dump_json() + "\n").encode())
    Server().serve()


def protections() -> Protections:
    """Close the network to this process and its jobs, and return what protects the machine."""
    inside = os.environ.pop(INSIDE_BUBBLEWRAP, "") == "1"
    left = inside or (can(leave_network) and leave_network())
    calls = seccomp.is_possible()
    return Protections(
        bubblewrap=inside,
        network=left or calls,
        files=landlock.version() > 0,
        processes=can(number_processes_anew) or landlock.scopes_signals(),
        calls=calls,
    )


if __name__ == "__main__":
    main()
