"""Run jobs on this machine, through one fork server."""

import asyncio
import errno
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from asi_arch.errors import AsiArchError, UserError
from asi_arch.jobs.folders import remove
from asi_arch.jobs.gpus import VISIBLE, Gpus, machine_gpus
from asi_arch.jobs.paths import JobPaths, brief, write_whole
from asi_arch.jobs.sandbox import require, wrapped
from asi_arch.jobs.values import flaw
from asi_arch.jobs.worker import DISK_FULL
from asi_arch.records import Job, JobError, JobResult, MetricPoint, Protections, SandboxMode

_ALLOWED_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", VISIBLE)
_SETTLED = {
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TORCHDYNAMO_DISABLE": "0" if machine_gpus() else "1",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    "TRITON_INTERPRET": "0" if machine_gpus() else "1",
}
"""One thread a process, always; compilers are processes, which jobs without a GPU cannot start.

Triton's interpreter stands in for a GPU where a program's kernels are checked. Looking for GPUs
through NVML leaves CUDA untouched in the fork server: its children could not use it otherwise.
"""

_PROGRESS_SECONDS = 0.25
SERVER = ("-m", "asi_arch.jobs.forkserver")
_ROOM_BYTES = 2**20


def _ignore(point: MetricPoint) -> None:
    """Do nothing with progress."""


class LocalRunner:
    """Runs each job in a forked process of its own; folders live under `root`.

    A job that has already given a result for the same question is not run again; one that somebody
    killed (not a limit of ours) is started once more, apart from the others. With `sandbox` =
    "require" no job runs where this machine leaves files, processes or network open to it; without
    `bubblewrap` it is not used even where it is installed. Each job sees one of `gpus` GPUs, of all
    there are if that is not given.
    """

    def __init__(
        self,
        root: Path,
        sandbox: SandboxMode = "auto",
        *,
        gpus: int | None = None,
        bubblewrap: bool = True,
    ) -> None:
        self.root = root.resolve()
        self.sandbox = sandbox
        self.bubblewrap = bubblewrap
        self.gpus = Gpus(gpus)
        self.protections = Protections()
        self._server: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[JobError | None]] = {}
        self._starting = asyncio.Lock()

    async def start(self) -> Protections:
        """Start the fork server if there is none, and return what protects from its jobs.

        Raises:
            UserError: this machine lacks GPUs or protections that are required.
            AsiArchError: the fork server could not be started.
        """
        self.gpus.require()
        async with self._starting:
            if self._server is None or self._server.returncode is not None:
                await self._start_server()
        if self.sandbox == "require":
            require(self.protections)
        return self.protections

    async def run(
        self, job: Job, on_progress: Callable[[MetricPoint], None] = _ignore
    ) -> JobResult:
        """Return the result of the job, be it a value or why there is none.

        Raises:
            UserError: the disk is full, or this machine lacks protections that are required.
            AsiArchError: the fork server could not be started.
        """
        try:
            result = await self._run(job, on_progress)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _disk_full(self.root) from error
            raise
        if result.error is not None and result.error.kind == "disk":
            remove(self.folder(job.name))
            JobPaths(self.folder(job.name)).result.unlink(missing_ok=True)
            raise _disk_full(self.root)
        return result

    async def _run(self, job: Job, on_progress: Callable[[MetricPoint], None]) -> JobResult:
        paths = JobPaths(self.folder(job.name))
        done = _finished(paths, job)
        if done is not None:
            return done
        result = await self._run_once(paths, job, on_progress)
        if result.error is not None and result.error.kind == "killed":
            result = await self._run_apart(paths, job, on_progress)
        result = _checked(paths, job, result)
        paths.write_result(result)
        return result

    async def _run_apart(
        self, paths: JobPaths, job: Job, on_progress: Callable[[MetricPoint], None]
    ) -> JobResult:
        """Run a job on a fork server of its own: whoever kills that one harms no other job."""
        alone = LocalRunner(self.root, self.sandbox, bubblewrap=self.bubblewrap)
        alone.gpus = self.gpus
        try:
            return await alone._run_once(paths, job, on_progress)
        finally:
            await alone.close()

    async def _run_once(
        self, paths: JobPaths, job: Job, on_progress: Callable[[MetricPoint], None]
    ) -> JobResult:
        token = _lay_out(paths, job)
        gpu = self.gpus.take()
        try:
            error = await self._watch(paths, await self._submit(paths, gpu), on_progress)
        finally:
            self.gpus.give_back(gpu)
        return _claimed(paths, token) if error is None else JobResult(error=error)

    async def _watch(
        self,
        paths: JobPaths,
        ended: "asyncio.Future[JobError | None]",
        on_progress: Callable[[MetricPoint], None],
    ) -> JobError | None:
        """Tell the progress of a job until it has ended; return what ended it, if not itself."""
        seen = 0
        while not ended.done():
            await asyncio.wait([ended], timeout=_PROGRESS_SECONDS)
            points = paths.read_metrics(skip=seen)
            seen += len(points)
            for point in points:
                on_progress(point)
        return ended.result()

    def folder(self, name: str) -> Path:
        """Return where the files of a job lie."""
        return self.root / name

    async def close(self) -> None:
        """End the fork server and with it every job, and wait until it is gone."""
        if self._server is None or self._server.stdin is None:
            return
        self._server.stdin.close()
        await self._server.wait()
        if self._reader is not None:
            await self._reader

    async def _submit(self, paths: JobPaths, gpu: str) -> "asyncio.Future[JobError | None]":
        await self.start()
        assert self._server is not None and self._server.stdin is not None
        ended: asyncio.Future[JobError | None] = asyncio.get_running_loop().create_future()
        self._waiting[str(paths.folder)] = ended
        self._server.stdin.write(f"{gpu}\t{paths.folder}\n".encode())
        return ended

    async def _start_server(self) -> None:
        if self._reader is not None:
            await self._reader  # it tells those who still wait for the server before
        self.root.mkdir(parents=True, exist_ok=True)
        log = self.root / "forkserver.log"
        command = [sys.executable, "-P", *SERVER]
        with log.open("ab") as errors:
            self._server = await asyncio.create_subprocess_exec(
                *(wrapped(command, self.root) if self.bubblewrap else command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**_environment(), "TMPDIR": str(self.root)},
                start_new_session=True,
            )
        assert self._server.stdout is not None
        first = await self._server.stdout.readline()
        if not first:
            code, said = await self._server.wait(), log.read_text(errors="replace")[-2000:]
            raise AsiArchError(f"the fork server ended with code {code} as it started: {said}")
        self.protections = Protections.model_validate_json(first)
        self._reader = asyncio.create_task(self._read(self._server.stdout))

    async def _read(self, lines: asyncio.StreamReader) -> None:
        """Wake whoever waits for a job that has ended, or all of them if the server is gone."""
        while line := await lines.readline():
            ended = json.loads(line)
            self._wake(ended["folder"], _why_ended(ended["code"], ended["broken_limit"]))
        assert self._server is not None
        await self._server.wait()
        for folder in list(self._waiting):
            self._wake(folder, JobError(kind="killed", message="the fork server was killed"))

    def _wake(self, folder: str, error: JobError | None) -> None:
        future = self._waiting.pop(folder, None)
        if future is not None and not future.done():
            future.set_result(error)


def _disk_full(folder: Path) -> UserError:
    return UserError(f"the disk of {folder} is full; free some space, then: asi-arch resume")


def _environment() -> dict[str, str]:
    """Return the little of our environment that jobs may see, and what we settle for them."""
    allowed = {name: os.environ[name] for name in _ALLOWED_ENVIRONMENT if name in os.environ}
    return {**allowed, **_SETTLED, "PYTHONPATH": str(Path(__file__).parents[2])}


def _finished(paths: JobPaths, job: Job) -> JobResult | None:
    """Return the result that an earlier sitting accepted for the same question."""
    try:
        return paths.read_result() if paths.read_job() == job else None
    except (OSError, ValueError):
        return None


def _lay_out(paths: JobPaths, job: Job) -> str:
    """Make the folder afresh, whatever generated code has left in its place; return its token.

    What the same job has saved of itself before it was killed stays.
    """
    paths.result.unlink(missing_ok=True)
    kept = _set_aside(paths, job)
    if paths.folder.is_dir() and not paths.folder.is_symlink():
        remove(paths.folder)
    else:
        paths.folder.unlink(missing_ok=True)
    for folder in (paths.folder, *map(Path, job.writes)):
        folder.mkdir(parents=True, exist_ok=True)
    if kept is not None:
        kept.replace(paths.checkpoint)
    paths.program.write_text(job.program, encoding="utf-8")
    token = secrets.token_hex(16)
    paths.token.write_text(token)
    write_whole(paths.job, job.model_dump_json())
    return token


def _set_aside(paths: JobPaths, job: Job) -> Path | None:
    """Move the checkpoint of the same job out of its folder; None where there is none."""
    try:
        is_same = paths.read_job() == job
    except (OSError, ValueError):
        return None
    if not is_same or paths.checkpoint.is_symlink() or not paths.checkpoint.is_file():
        return None
    return paths.checkpoint.replace(paths.folder.with_suffix(".checkpoint"))


def _why_ended(code: int, broken_limit: str) -> JobError | None:
    """Return why a process ended without finishing its job; None if it says to have finished."""
    if broken_limit == "timeout":
        return JobError(kind="timeout", message="the wall-clock limit was reached")
    if broken_limit:
        return JobError(kind="memory", message=f"the limit of {broken_limit} was reached")
    if code == -signal.SIGKILL:
        return JobError(kind="killed", message="the process was killed from outside")
    if code == DISK_FULL:
        return JobError(kind="disk", message="the disk is full")
    if code != 0:
        return JobError(kind="crash", message=f"the process ended with code {code}")
    return None


def _claimed(paths: JobPaths, token: str) -> JobResult:
    """Return what a job that has ended by itself says came out."""
    try:
        return paths.read_claim(token)
    except FileNotFoundError:
        return _crash("the process ended without a result")
    except ValueError as error:
        return _crash(f"the result is unreadable: {brief(error)}")


def _checked(paths: JobPaths, job: Job, result: JobResult) -> JobResult:
    """Return the result if it can be one, else why it cannot."""
    if result.error is None and (why := flaw(job, result.value)):
        return _crash(f"the result is unreadable: {why}")
    if result.error is not None and result.error.kind == "disk" and not _is_full(paths.folder):
        return JobResult(error=result.error.model_copy(update={"kind": "exception"}))
    return result


def _crash(message: str) -> JobResult:
    return JobResult(error=JobError(kind="crash", message=message))


def _is_full(folder: Path) -> bool:
    """Whether the disk really has no room: a program may claim so to stop everybody."""
    return shutil.disk_usage(folder.parent).free < _ROOM_BYTES
