"""Each test attacks one promise of the runner."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asi_arch.errors import AsiArchError
from asi_arch.jobs import JobPaths, LocalRunner
from asi_arch.jobs.values import flaw
from asi_arch.records import Job, JobResult, Limits
from tests.programs import PLAIN, at_import
from tests.watching import eventually, working_in

ROOT = Path(__file__).parents[2]
Run = Callable[[Job], JobResult]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def runner(root: Path) -> Iterator[LocalRunner]:
    """A runner whose jobs may start processes: what the kernel refuses, nobody need clear away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asi_arch.jobs.local.SERVER", (str(ROOT / "tests" / "unfiltered.py"),))
        yield LocalRunner(root)


@pytest.fixture(scope="module")
def run(runner: LocalRunner) -> Iterator[Run]:
    os.environ["ASI_ARCH_TEST_SECRET"] = "hush"
    with asyncio.Runner() as loop:
        yield lambda job: loop.run(runner.run(job))
        loop.run(runner.close())
    del os.environ["ASI_ARCH_TEST_SECRET"]


def verification(name: str, program: str, **limits: float) -> Job:
    allowed = Limits.model_validate(limits)
    spec = {"only": ["interference", "contract"]}
    return Job(name=name, kind="verify", program=program, spec=spec, limits=allowed)


def contract(result: JobResult) -> tuple[bool, str]:
    assert result.value is not None, result.error
    first = result.value["findings"][0]
    return first["passed"], first["evidence"]


def test_an_honest_program_gives_findings(run: Run) -> None:
    assert contract(run(verification("honest", PLAIN)))[0]


def test_an_exception_is_a_result(run: Run) -> None:
    result = run(Job(name="exception", kind="train", program=PLAIN, spec={}))
    assert result.error is not None and result.error.kind == "exception"
    assert "KeyError" in result.error.message and "worker.py" in result.error.trace


def test_an_import_that_never_returns_is_killed(run: Run, root: Path) -> None:
    started = time.monotonic()
    result = run(verification("endless", at_import("while True: pass"), seconds=2))
    assert result.error is not None and result.error.kind == "timeout"
    assert time.monotonic() - started < 30
    assert working_in(root / "endless") == []


def test_memory_is_limited(run: Run) -> None:
    program = at_import("hoard = [bytes(2**28) for _ in range(40)]")
    result = run(verification("hoard", program, memory_bytes=2**30))
    passed = result.error is None and contract(result)[0]
    assert not passed


def test_memory_of_children_counts(run: Run, root: Path) -> None:
    program = at_import(
        "import os, time",
        "for _ in range(3):",
        "    if os.fork() == 0:",
        "        hoard = b'x' * 2**29; time.sleep(60)",
        "time.sleep(60)",
    )
    result = run(verification("family", program, memory_bytes=2**30, seconds=60))
    assert result.error is not None and result.error.kind == "memory"
    assert working_in(root / "family") == []


def test_a_daemon_does_not_outlive_its_job(run: Run, root: Path) -> None:
    program = at_import(
        "import os, time",
        "if os.fork() == 0:",
        "    os.setsid()",
        "    if os.fork() == 0:",
        "        time.sleep(300)",
        "    os._exit(0)",
    )
    assert run(verification("daemon", program)).value is not None
    assert eventually(lambda: working_in(root / "daemon") == [])


FLED = (
    "import os, time",
    "for _ in range({count}):",
    "    if os.fork() == 0:",
    "        os.setsid()",
    "        hoard = b'x' * {size}; time.sleep(60)",
    "time.sleep(60)",
)


@pytest.mark.parametrize(("count", "size", "limit"), [(3, 2**28, "memory"), (40, 1, "processes")])
def test_leaving_the_session_is_no_way_out(
    run: Run, root: Path, count: int, size: int, limit: str
) -> None:
    program = at_import(*(line.format(count=count, size=size) for line in FLED))
    job = verification(f"fled-{limit}", program, memory_bytes=2**29, seconds=30, processes=30)
    result = run(job)
    assert result.error is not None and limit in result.error.message
    assert eventually(lambda: working_in(root / job.name) == [])


@pytest.mark.parametrize(
    "lines",
    [
        ("print('x')", "import os", "os.closerange(0, 100)"),
        ("import sys", "sys.stdout = sys.stderr = None"),
    ],
)
def test_broken_streams_do_no_harm(run: Run, lines: tuple[str, ...]) -> None:
    name = f"streams-{len(lines)}"
    assert run(verification(name, at_import(*lines))).value is not None


WRECKS = {
    "folder emptied": "import shutil; shutil.rmtree(os.getcwd(), True); os._exit(0)",
    "folder barred": "os.mkdir('claim.json.part'); os.chmod('.', 0)",
    "result a folder": "os.makedirs('claim.json/x'); os._exit(0)",
    "result a pipe": "os.mkfifo('claim.json'); os.mkfifo('claim.json.part'); os._exit(0)",
    "result endless": "os.symlink('/dev/zero', 'claim.json'); os._exit(0)",
    "result huge": "f = open('claim.json', 'w'); f.truncate(2**29); os._exit(0)",
    "result empty": "open('claim.json', 'w').write('{}'); os._exit(0)",
    "no findings": "open('claim.json', 'w').write('{\"value\": {}}'); os._exit(0)",
    "findings none": (
        "open('claim.json', 'w').write('{\"value\": {\"findings\": []}}'); os._exit(0)"
    ),
    "metrics a pipe": "os.mkfifo('metrics.jsonl'); time.sleep(1); os._exit(0)",
}


@pytest.mark.parametrize("wreck", WRECKS.values(), ids=WRECKS.keys())
def test_what_a_program_does_to_its_files_is_its_own_crash(run: Run, wreck: str) -> None:
    job = verification(f"wreck-{len(wreck)}", at_import("import os, time", wreck))
    result = run(job)
    assert result.error is not None and result.error.kind == "crash"
    assert run(job) == result, "the crash is not remembered"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("raise type('Odd', (BaseException,), {})('of its own kind')", "of its own kind"),
        ("raise ValueError(chr(0xD800))", "surrogates not allowed"),
    ],
)
def test_whatever_is_raised_is_said(run: Run, line: str, why: str) -> None:
    result = run(verification(f"raised-{len(line)}", at_import(line)))
    assert result.error is not None and why in result.error.message


def test_a_broken_answer_is_described_in_one_line() -> None:
    why = flaw(Job(name="x", kind="verify"), {"findings": [{"check": "x"}]})
    assert why == "findings.0.passed: Field required"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seed": 6}, "was trained where"),
        ({"stage": "confirm"}, "was trained where"),
        ({"reported": None}, "no loss"),
        ({"tokens": 10**30}, "less than or equal"),
    ],
)
def test_a_training_of_something_else_is_no_answer(changes: dict[str, object], why: str) -> None:
    sizes = {"parameters": 1, "non_embedding": 1, "mlp_width": 1, "tokens": 1}
    value = {"stage": "explore", "seed": 5, "reported": 1.0, **sizes}
    job = Job(name="x", kind="train", spec={"name": "explore", "seed": 5})
    assert flaw(job, value) is None
    assert why in str(flaw(job, {**value, **changes}))


def test_a_fork_server_that_is_killed_costs_nothing_but_time(tmp_path: Path) -> None:
    """Whoever kills it: the job under way is started once more, on another one."""
    runner = LocalRunner(tmp_path)
    patient = verification("patient", at_import("import time", "time.sleep(1)"))

    async def killed() -> JobResult:
        work = asyncio.create_task(runner.run(patient))
        while not working_in(tmp_path / "patient"):
            await asyncio.sleep(0.05)
        assert runner._server is not None
        runner._server.kill()
        try:
            return await work
        finally:
            await runner.close()

    assert contract(asyncio.run(killed()))[0]
    assert eventually(lambda: working_in(tmp_path) == [])


def test_modules_of_the_current_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('not the real one')")
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(_once(LocalRunner(tmp_path / "jobs"))).value is not None


async def _once(runner: LocalRunner) -> JobResult:
    try:
        return await runner.run(verification("once", PLAIN))
    finally:
        await runner.close()


def test_leaving_without_a_result_is_an_error(run: Run) -> None:
    result = run(verification("quitter", at_import("import os", "os._exit(0)")))
    assert result.error is not None and result.error.kind == "crash"


def test_secrets_of_the_environment_are_not_passed_on(run: Run) -> None:
    program = at_import("import os", "raise ValueError(sorted(os.environ))")
    passed, evidence = contract(run(verification("secret", program)))
    assert not passed and "'HOME'" in evidence and "ASI_ARCH_TEST_SECRET" not in evidence


def test_the_network_is_out_of_reach(run: Run, runner: LocalRunner) -> None:
    run(verification("warm-up", PLAIN))
    if not runner.protections.network:
        pytest.skip("this machine does not let a process leave the network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = at_import(
            "import socket", f"socket.create_connection(('127.0.0.1', {port}), timeout=2)"
        )
        passed, evidence = contract(run(verification("network", program)))
    assert not passed and "create_connection" in evidence


def test_a_finished_job_is_not_run_again(run: Run, root: Path) -> None:
    job = verification("once", PLAIN)
    first = run(job)
    stamp = JobPaths(root / "once").result.stat().st_mtime_ns
    assert run(job) == first
    assert JobPaths(root / "once").result.stat().st_mtime_ns == stamp


def test_another_question_under_the_same_name_is_asked(run: Run, root: Path) -> None:
    run(verification("same-name", PLAIN))
    result = run(verification("same-name", "nothing = 1"))
    assert not contract(result)[0]


def test_a_job_killed_from_outside_is_started_once_more(tmp_path: Path) -> None:
    runner = LocalRunner(tmp_path)
    job = verification("killed", at_import("import time", "time.sleep(2)"))

    async def killed(times: int) -> JobResult:
        work = asyncio.create_task(runner.run(job))
        seen: set[int] = set()
        for _ in range(times):
            while not (new := set(working_in(tmp_path / "killed")) - seen):
                await asyncio.sleep(0.05)
            seen |= new
            os.kill(max(new), signal.SIGKILL)
        return await work

    with asyncio.Runner() as loop:
        assert contract(loop.run(killed(1)))[0]
        JobPaths(tmp_path / "killed").result.unlink()
        again = loop.run(killed(2))
        loop.run(runner.close())
    assert again.error is not None and again.error.kind == "killed"


def test_nothing_survives_when_the_campaign_is_killed(tmp_path: Path) -> None:
    script = f"""
        import asyncio, pathlib
        from asi_arch.jobs import LocalRunner
        from asi_arch.records import Job
        job = Job(name="endless", kind="verify", program="while True: pass")
        asyncio.run(LocalRunner(pathlib.Path({str(tmp_path)!r})).run(job))
    """
    campaign = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT)
    try:
        assert eventually(lambda: working_in(tmp_path / "endless") != [], seconds=60)
    finally:
        campaign.send_signal(signal.SIGKILL)
        campaign.wait()
    assert eventually(lambda: working_in(tmp_path) == [])


def test_a_fork_server_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(AsiArchError, match="ended with code 1 as it started"):
        asyncio.run(_once(LocalRunner(tmp_path)))
