"""What is said of a machine's protections, and what follows from it."""

import asyncio
import sys
from pathlib import Path

import pytest

from asi_arch.errors import UserError
from asi_arch.jobs import LocalRunner, seccomp
from asi_arch.jobs.forkserver import protections
from asi_arch.jobs.sandbox import describe, require, wrapped
from asi_arch.records import Job, Protections
from tests.programs import PLAIN

WHOLE = Protections(bubblewrap=True, files=True, network=True, processes=True, calls=True)


@pytest.mark.parametrize("missing", ["files", "network", "processes"])
def test_what_counts_can_be_required(missing: str) -> None:
    with pytest.raises(UserError, match=r"sandbox = require.*jobs can .* \("):
        require(WHOLE.model_copy(update={missing: False}))


def test_bubblewrap_itself_is_not_required() -> None:
    require(WHOLE.model_copy(update={"bubblewrap": False, "calls": False}))


def test_gaps_are_said_plainly() -> None:
    assert "NOT PROTECTED" not in describe(WHOLE)
    said = describe(WHOLE.model_copy(update={"network": False}))
    assert said.endswith("NOT PROTECTED: jobs can reach the network")


@pytest.mark.parametrize("status", [0, 1])
def test_bubblewrap_counts_where_it_starts_this_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *{sys.executable}*) exit {status};; esac\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert (wrapped(["job"], tmp_path) == ["job"]) == bool(status)


@pytest.mark.skipif(not seccomp.is_possible(), reason="no system calls are refused here")
def test_the_network_is_closed_where_calls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asi_arch.jobs.forkserver.can", lambda attempt: False)
    assert protections().network


def test_no_job_runs_without_what_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(found: Protections) -> None:
        raise UserError("not here")

    async def try_twice() -> None:
        runner = LocalRunner(tmp_path, "require")
        try:
            for name in ("first", "second"):
                with pytest.raises(UserError, match="not here"):
                    await runner.run(Job(name=name, kind="verify", program=PLAIN))
        finally:
            await runner.close()

    monkeypatch.setattr("asi_arch.jobs.local.require", refuse)
    asyncio.run(try_twice())
    assert not list(tmp_path.rglob("claim.json"))
