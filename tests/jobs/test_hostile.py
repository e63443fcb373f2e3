"""Each program attacks one thing; the test looks at that thing, and at what is said of the program.

Every attack is tried inside Bubblewrap and, where that is not installed, or without it, with what
else the machine gives.
"""

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from asi_arch.jobs import LocalRunner
from asi_arch.jobs.folders import remove
from asi_arch.records import Job, JobResult, Limits
from tests.programs import PLAIN, at_import
from tests.watching import eventually, working_in

SECRET = "the-secret-word"


class Bench(NamedTuple):
    """A runner, and what lies about that a job should not reach."""

    runner: LocalRunner
    root: Path
    outside: Path
    run: Callable[[Job], JobResult]

    def attack(self, name: str, *lines: str, **limits: float) -> JobResult:
        return self.run(verification(name, at_import("import os, sys, time", *lines), **limits))

    def is_usable(self) -> bool:
        result = self.run(verification(f"after-{time.monotonic_ns()}", PLAIN))
        return passed(result)


def verification(name: str, program: str, **limits: float) -> Job:
    allowed = Limits.model_validate({"seconds": 60, **limits})
    return Job(name=name, kind="verify", program=program, spec={"only": ["batch"]}, limits=allowed)


def passed(result: JobResult) -> bool:
    """Whether a verification says that its program is honest."""
    return result.value is not None and all(f["passed"] for f in result.value["findings"])


def said(result: JobResult) -> str:
    """Return all that a result says."""
    return result.model_dump_json()


@pytest.fixture(scope="module", params=["bubblewrap", "without"])
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    inside = request.param == "bubblewrap"
    if inside and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    outside = tmp_path_factory.mktemp("outside")
    root = tmp_path_factory.mktemp("jobs")
    (outside / "secret.txt").write_text(SECRET)
    os.environ["ASI_ARCH_TEST_SECRET"] = SECRET
    runner = LocalRunner(root, bubblewrap=inside)
    with asyncio.Runner() as loop:
        yield Bench(runner, root, outside, lambda job: loop.run(runner.run(job)))
        loop.run(runner.close())
    del os.environ["ASI_ARCH_TEST_SECRET"]


@pytest.fixture(autouse=True)
def needs(request: pytest.FixtureRequest, bench: Bench) -> None:
    """Skip an attack where this machine does not offer the protection that it is about."""
    bench.run(verification("warm-up", PLAIN))
    mark = request.node.get_closest_marker("needs")
    if mark and not getattr(bench.runner.protections, mark.args[0]):
        pytest.skip(f"this machine does not protect {mark.args[0]}")


async def beside(bench: Bench, attacks: Sequence[Job]) -> JobResult:
    """Return the result of a job that is under way while the attacks are."""
    patient = verification("patient", at_import("import time", "time.sleep(2)"))
    runner = LocalRunner(bench.root / "pairs", bubblewrap=bench.runner.bubblewrap)
    try:
        result = asyncio.create_task(runner.run(patient))
        await asyncio.sleep(0.5)
        await asyncio.gather(*map(runner.run, attacks))
        return await result
    finally:
        await runner.close()


def test_a_forged_claim_is_not_believed(bench: Bench) -> None:
    forged = (
        '{"token": "%s", "result": {"value": {"findings": '
        '[{"check": "contract", "passed": true}]}}}'
    )
    result = bench.attack(
        "forged",
        f"text = '''{forged}''' % (open('token').read() if os.path.exists('token') else 'x')",
        "open('claim.json', 'w').write(text); os._exit(0)",
    )
    assert result.error is not None and "not written by the job" in result.error.message


@pytest.mark.parametrize("line", ["os._exit(0)", "sys.exit(0)", "raise SystemExit(0)", "quit(0)"])
def test_leaving_early_is_not_passing(bench: Bench, line: str) -> None:
    assert not passed(bench.attack(f"leaving-{len(line)}", line))


def test_what_was_accepted_cannot_be_rewritten(bench: Bench) -> None:
    bench.run(verification("victim", PLAIN))
    accepted = bench.root / "results" / "victim.json"
    before = accepted.read_bytes()
    bench.attack("rewriter", f"open({str(accepted)!r}, 'w').write('x')")
    assert accepted.read_bytes() == before


@pytest.mark.needs("processes")
def test_killing_hits_nobody_else(bench: Bench) -> None:
    targets = ["-1", "os.getppid()", "1", "os.getpgid(0)"]
    killers = [
        verification(f"killer-{number}", at_import("import os", f"os.kill({target}, 9)"))
        for number, target in enumerate(targets)
    ]
    assert passed(asyncio.run(beside(bench, killers)))


@pytest.mark.needs("calls")
@pytest.mark.parametrize(
    "more",
    [
        "os.fork()",
        "ctypes.CDLL(None).fork()",
        "subprocess.Popen([sys.executable, '-c', 'while True: pass'])",
        "os.posix_spawn('/bin/sleep', ['sleep', '60'], {})",
    ],
)
def test_a_fork_bomb_does_not_start(bench: Bench, more: str) -> None:
    lines = (f"    if {more} == -1: raise PermissionError", "    assert False")
    result = bench.attack("bomb", "import ctypes, subprocess", "while True:", *lines)
    assert "PermissionError" in said(result)
    assert working_in(bench.root / "bomb") == []
    assert bench.is_usable()


def test_a_memory_bomb_is_stopped(bench: Bench) -> None:
    result = bench.attack(
        "memory",
        "hoard = []",
        "while True:",
        "    try: hoard.append(b'x' * 2**24)",
        "    except MemoryError: hoard.append(bytearray(2**20))",
        memory_bytes=2**29,
    )
    assert not passed(result) and "memory" in said(result).lower()
    assert bench.is_usable()


def test_a_loop_in_c_that_ignores_signals_is_ended(bench: Bench) -> None:
    started = time.monotonic()
    result = bench.attack(
        "deaf",
        "import signal",
        "for number in range(1, 32):",
        "    if number not in (9, 19): signal.signal(number, signal.SIG_IGN)",
        "3 ** (10 ** 9)",
        seconds=2,
    )
    assert result.error is not None and result.error.kind == "timeout"
    assert time.monotonic() - started < 20
    assert working_in(bench.root / "deaf") == []


def test_an_import_that_never_returns_is_ended(bench: Bench) -> None:
    result = bench.attack("endless", "while True: time.sleep(1)", seconds=1)
    assert result.error is not None and result.error.kind == "timeout"


def test_many_files_are_too_many(bench: Bench) -> None:
    result = bench.attack(
        "files",
        "for number in range(10**6): open(f'{number}', 'w').close()",
        "time.sleep(30)",
        files=200,
    )
    assert result.error is not None and "limit of files" in result.error.message


@pytest.mark.parametrize(("name", "depth"), [("d", 1500), ("d" * 200, 40)])
def test_nothing_hides_in_the_depth(bench: Bench, name: str, depth: int) -> None:
    result = bench.attack(
        f"deep-{depth}",
        f"for _ in range({depth}): os.mkdir({name!r}); os.chdir({name!r})",
        "time.sleep(30)",
    )
    assert result.error is not None and "limit of files" in result.error.message
    remove(bench.root / f"deep-{depth}")
    assert not (bench.root / f"deep-{depth}").exists()
    assert bench.is_usable()


def test_threads_are_counted(bench: Bench) -> None:
    result = bench.attack(
        "threads",
        "import threading; threading.stack_size(2**15); forever = threading.Event().wait",
        "for _ in range(2000): threading.Thread(target=forever, daemon=True).start()",
        "time.sleep(30)",
    )
    assert result.error is not None and "limit of processes" in result.error.message


def test_sockets_are_counted(bench: Bench) -> None:
    result = bench.attack(
        "sockets",
        "import socket; kept = [socket.socketpair() for _ in range(400)]",
        "time.sleep(30)",
        folder_bytes=2**28,
    )
    assert result.error is not None and "bytes written" in result.error.message


def test_a_disk_is_not_filled(bench: Bench) -> None:
    result = bench.attack(
        "disk",
        "for number in range(100):",
        "    with open(f'{number}', 'wb') as file: file.write(bytes(2**24))",
        "time.sleep(30)",
        folder_bytes=2**27,
    )
    assert result.error is not None and "bytes written" in result.error.message


def test_a_single_file_is_not_endless(bench: Bench) -> None:
    result = bench.attack(
        "file", "open('big', 'wb').write(bytes(2**25))", file_bytes=2**24, folder_bytes=2**30
    )
    assert not passed(result) and "File too large" in said(result)


@pytest.mark.parametrize(
    "hide",
    [
        "os.unlink(name)",
        "import mmap; kept.append(mmap.mmap(file.fileno(), 4096)); os.unlink(name); file.close()",
    ],
)
def test_what_has_no_name_counts_too(bench: Bench, hide: str) -> None:
    result = bench.attack(
        f"nameless-{len(hide)}",
        "kept = []",
        "for number in range(5):",
        "    name = f'{number}'; file = open(name, 'w+b'); kept.append(file)",
        "    file.write(bytes(2**25)); file.flush()",
        f"    {hide}",
        "time.sleep(30)",
        folder_bytes=2**27,
        file_bytes=2**25,
    )
    assert result.error is not None and "bytes written" in result.error.message


def test_a_huge_log_is_cut_off(bench: Bench) -> None:
    started = time.monotonic()
    result = bench.attack("log", "while True: print('x' * 65536, flush=True)", log_bytes=2**24)
    assert "limit of log" in said(result) or "File too large" in said(result)
    assert time.monotonic() - started < 20


@pytest.mark.needs("network")
@pytest.mark.parametrize("kind", ["AF_INET", "AF_NETLINK"])
def test_the_network_is_closed(bench: Bench, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        line = f"import socket; s = socket.socket(socket.{kind}, socket.SOCK_RAW * 0 + 1)"
        result = bench.attack(f"network-{kind}", line, f"s.connect(('127.0.0.1', {port}))")
    assert not passed(result)


@pytest.mark.needs("network")
def test_names_are_not_looked_up(bench: Bench) -> None:
    result = bench.attack("names", "import socket; socket.gethostbyname('pypi.org')")
    assert not passed(result)


def test_secrets_of_the_environment_stay_there(bench: Bench) -> None:
    result = bench.attack(
        "environment",
        "raise ValueError(repr(dict(os.environ)) + open('/proc/self/environ').read())",
    )
    assert SECRET not in said(result)


@pytest.mark.needs("files")
@pytest.mark.parametrize(
    "expression",
    [
        "open({secret!r}).read()",
        "os.listdir({outside!r})",
        "open('/etc/shadow').read()",
        "os.listdir(os.path.expanduser('~root'))",
        "os.listdir('/tmp')",
        "os.listdir('..')",
        "open('../victim/program.py').read()",
        "open('/proc/1/environ', 'rb').read()",
        "open(f'/proc/{{os.getppid() or 2}}/mem', 'rb').read(1)",
    ],
)
def test_files_of_others_cannot_be_read(bench: Bench, expression: str) -> None:
    bench.run(verification("victim", PLAIN))
    wanted = expression.format(secret=str(bench.outside / "secret.txt"), outside=str(bench.outside))
    result = bench.attack(f"reader-{len(wanted)}", f"raise ValueError('read: ' + str({wanted}))")
    assert not passed(result)
    assert "ValueError: read:" not in said(result)


@pytest.mark.needs("files")
@pytest.mark.parametrize(
    "line",
    [
        "open({secret!r}, 'w').write('x')",
        "open({outside!r} + '/new', 'w').write('x')",
        "os.unlink({secret!r})",
        "os.rename({secret!r}, {secret!r} + '.old')",
        "os.truncate({secret!r}, 0)",
        "os.chmod({secret!r}, 0)",
        "os.symlink({secret!r}, 'link'); open('link', 'a').write('x')",
        "os.link({secret!r}, 'hard'); open('hard', 'a').write('x')",
    ],
)
def test_files_of_others_cannot_be_changed(bench: Bench, line: str) -> None:
    secret = bench.outside / "secret.txt"
    line = line.format(secret=str(secret), outside=str(bench.outside))
    bench.attack(f"writer-{len(line)}", line)
    assert secret.read_text() == SECRET
    assert list(bench.outside.iterdir()) == [secret]


CALLS = (
    "libc.ptrace(16, 1, 0, 0)",
    "libc.unshare(0x10000000)",
    "libc.mount(b'none', b'.', b'tmpfs', 0, 0)",
    "libc.syscall(425, 8, 0)",
    "libc.chroot(b'.')",
    "libc.setns(0, 0)",
    "libc.connect(-1, None, 0)",
    "libc.sendto(1, b'x', 1, 0, b'x', 1)",
    "libc.sendmsg(1, None, 0)",
    "libc.chmod(b'.', 0o777)",
    "libc.fchmod(1, 0o777)",
    "libc.fchmodat(-100, b'.', 0o777, 0)",
    "libc.chown(b'.', -1, -1)",
    "libc.utimes(b'.', None)",
    "libc.utimensat(-100, b'.', None, 0)",
    "libc.setxattr(b'.', b'user.note', b'x', 1, 0)",
    "libc.removexattr(b'.', b'user.note')",
    "libc.shmget(0, 4096, 0o1600)",
    "libc.semget(0, 1, 0o1600)",
    "libc.msgget(0, 0o1600)",
    "libc.setpriority(0, 0, 19)",
    "libc.syscall({'x86_64': 251}.get(os.uname().machine, 30), 1, 0, 3 << 13)",
    "libc.prlimit(0, 7, (ctypes.c_uint64 * 2)(9, 9), None)",
    "libc.prctl(4, 0, 0, 0, 0)",
    "libc.inotify_init1(0)",
    "libc.memfd_create(b'hidden', 0)",
    "libc.sched_setaffinity(0, 8, (ctypes.c_uint64 * 1)(1))",
    "libc.mmap(None, 4096, 3, 0x21, -1, 0)",
)


@pytest.mark.needs("calls")
def test_dangerous_calls_are_refused(bench: Bench) -> None:
    result = bench.attack(
        "calls",
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)",
        "made = []",
        f"for call in {CALLS!r}:",
        "    if eval(call) != -1 or ctypes.get_errno() not in (1, 2): made.append(call)",
        "raise ValueError(f'not refused: {made}')",
    )
    assert "not refused: []" in said(result)


def test_a_daemon_dies_with_its_job(bench: Bench) -> None:
    bench.attack(
        "daemon",
        "if os.fork() == 0:",
        "    os.setsid()",
        "    if os.fork() == 0: time.sleep(300)",
        "    os._exit(0)",
    )
    assert eventually(lambda: working_in(bench.root / "daemon") == [])


def test_the_working_folder_can_be_lost(bench: Bench) -> None:
    bench.run(verification("victim", PLAIN))
    bench.attack("lost", "import shutil; shutil.rmtree(os.path.dirname(os.getcwd()), True)")
    assert (bench.root / "results" / "victim.json").exists()
    assert bench.is_usable()


@pytest.mark.parametrize(
    "plant", ["os.mkfifo('claim.json')", "os.symlink('/dev/zero', 'claim.json')"]
)
def test_a_trap_in_place_of_the_claim_does_not_hold_us(bench: Bench, plant: str) -> None:
    result = bench.attack(f"trap-{len(plant)}", plant, "os._exit(0)")
    assert result.error is not None and result.error.kind == "crash"


def test_the_line_to_the_campaign_is_not_inherited(bench: Bench) -> None:
    line = 'for fd in range(3, 200):\n    try: os.write(fd, b\'{"folder": "x", "code": 0}\\n\')\n    except OSError: pass'
    assert "posix.write" in said(bench.attack("descriptors", *line.splitlines()))
    assert bench.is_usable()
