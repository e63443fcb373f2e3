"""Mistakes end in one sentence on standard error, nothing on standard output, and exit code 2."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asi_arch.cli import app
from asi_arch.errors import AsiArchError
from asi_arch.store import Store

Call = Callable[..., Result]

BAD_RUNS = {
    "unknown preset": (("--preset", "tiny"), "choose one of: demo"),
    "unknown key": (("--set", "explor.tokens=5"), "did you mean 'explore'?"),
    "no key": (("--set", "tokens"), "write key=value"),
    "value": (("--set", "explore.tokens=many"), "explore.tokens = 'many' is not allowed"),
    "too few tokens": (("--set", "explore.tokens=9"), "less than one step"),
    "unpaired seeds": (("--set", "explore.seeds=[77]"), "must be among explore.baseline_seeds"),
    "no config": (("--config", "none.toml"), "cannot read the configuration none.toml"),
    "no experiments": (("--experiments", "-1"), "budget.experiments = -1 is not allowed"),
    "negative minutes": (("--minutes", "-3"), "budget.minutes = -3.0 is not allowed"),
    "no money": (("--money", "0"), "budget.money = 0.0 is not allowed"),
    "no slots": (("--train-jobs", "0"), "jobs.train = 0 is not allowed"),
    "tokens below a reply": (
        ("--team", "llm", "--model", "m", "--tokens", "100"),
        "budget.tokens = 100 is less than one reply",
    ),
    "unknown backend": (("--backend", "telepathy", "--model", "m"), "available: openai"),
    "backend of no module": (("--backend", "no_such:Thing"), "cannot load backend"),
    "no model": (("--backend", "openai"), "add --model NAME"),
    "rules with a model": (("--team", "rules", "--model", "m"), "asks no language model"),
    "unknown baseline": (
        ("--set", "baselines=['deltanet', 'mamba9']", "--set", "search.roots=['deltanet']"),
        "unknown baseline 'mamba9'",
    ),
}


def refused(result: Result) -> str:
    """Return the sentence of a command that was refused."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(("arguments", "sentence"), BAD_RUNS.values(), ids=BAD_RUNS.keys())
@pytest.mark.parametrize("json", [(), ("--json",)], ids=["text", "json"])
def test_impossible_runs(
    call: Call, arguments: tuple[str, ...], sentence: str, json: tuple[str, ...]
) -> None:
    assert sentence in refused(call("run", *arguments, *json))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"a = [", "not valid TOML"),
        (b"\xff", "TOML"),
        (b"#" * 2**21, "my.toml has over"),
    ],
)
def test_bad_configuration_file(call: Call, tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "my.toml").write_bytes(content)
    assert sentence in refused(call("run", "--config", "my.toml"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", 99), "there is no experiment 99; the ids go from 1 to 6"),
        (("diff", 99), "there is no experiment 99"),
        (("diff", 1), "has no parent; name one with --with ID"),
        (("diff", 4, "--with", "child"), "write --with parent or --with ID"),
        (("leaderboard", "--campaign", 8), "there is no campaign 8; choose one of: 1"),
        (("status", "--campaign", 8), "there is no campaign 8"),
        (("resume", "--campaign", 8), "there is no campaign 8"),
        (("status", "--watch", "--json"), "choose one"),
    ],
)
def test_bad_questions(
    call: Call, populated: Any, arguments: tuple[object, ...], sentence: str
) -> None:
    assert sentence in refused(call(*arguments, "--db", populated.db))


@pytest.mark.parametrize(
    "arguments",
    [("show", "x"), ("show", "9" * 30), ("show", "0"), ("fly",), ("train", "x.py", "--stage", "y")],
)
def test_usage_errors(call: Call, arguments: tuple[str, ...]) -> None:
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_unknown_stage_names_the_known_ones(call: Call) -> None:
    assert "'probe', 'explore', 'confirm'" in call("train", "x.py", "--stage", "y").stderr


@pytest.mark.parametrize("command", ["leaderboard", "resume", "db upgrade", "db info"])
def test_no_database(call: Call, command: str) -> None:
    assert "there is no database none.db" in refused(call(*command.split(), "--db", "none.db"))


def test_database_of_a_newer_version(call: Call, populated: Any) -> None:
    shutil.copy(populated.db, "newer.db")
    connection = sqlite3.connect("newer.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in (("leaderboard",), ("run",), ("db", "upgrade")):
        assert "newer asi-arch" in refused(call(*command, "--db", "newer.db"))


def test_not_a_database(call: Call) -> None:
    Path("text.db").write_text("these are words, and many of them " * 100)
    assert "not an asi-arch database" in refused(call("status", "--db", "text.db"))


def test_unknown_kind_of_database(call: Call) -> None:
    assert "unknown kind of database 'mysql'" in refused(call("status", "--db", "mysql://x/y"))


def test_locked_database(call: Call, populated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(populated.db, "locked.db")
    impatient = Store.open.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Store, "open", classmethod(lambda cls, db, **how: impatient(cls, db, **how, busy_timeout=0))
    )
    connection = sqlite3.connect("locked.db")
    connection.execute("BEGIN IMMEDIATE")
    assert "locked by another process" in refused(call("run", "--db", "locked.db"))
    connection.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_database(call: Call, populated: Any) -> None:
    shutil.copy(populated.db, "fixed.db")
    Path("fixed.db").chmod(0o444)
    assert "fixed.db is read-only" in refused(call("run", "--db", "fixed.db"))


def test_no_place_for_a_database(call: Call) -> None:
    assert "not writable" in refused(call("run", "--db", "/proc/nowhere/my.db"))


def test_campaign_that_another_process_runs(call: Call, tmp_path: Path) -> None:
    from asi_arch.configure import load_config
    from asi_arch.launch import only_process

    with Store.open("asi-arch.db") as store:
        values = load_config().model_dump(mode="json")
        record = store.create_campaign("busy", 0, values, str(tmp_path / "files"))
    with only_process(record):
        assert "is being run by another process" in refused(call("resume"))


def test_resume_refuses_what_would_change_the_measure(call: Call, tmp_path: Path) -> None:
    from asi_arch.configure import load_config

    with Store.open("asi-arch.db") as store:
        values = load_config().model_dump(mode="json")
        store.create_campaign("half", 0, values, str(tmp_path / "files"))
    assert "only these may change" in refused(call("resume", "--set", "explore.tokens=9999"))


def raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("asi_arch.launch.new_campaign", fail)


@pytest.mark.parametrize("grouped", [False, True])
def test_full_disk(call: Call, monkeypatch: pytest.MonkeyPatch, grouped: bool) -> None:
    error: Exception = OSError(errno.ENOSPC, "No space left on device", "x/job.json")
    raising(monkeypatch, ExceptionGroup("tasks", [error]) if grouped else error)
    assert "cannot write x/job.json: No space left on device" in refused(call("run"))


def test_no_permission(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "x/my.db"))
    assert "cannot use x/my.db: Permission denied; ask for access" in refused(call("run"))


def test_work_that_failed_exits_with_1(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, AsiArchError("the baseline deltanet cannot be run: out of luck"))
    result = call("run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be run" in result.stderr


def test_our_own_mistakes_are_not_hidden(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyError("oops"))
    assert isinstance(call("run").exception, KeyError)


def test_debug_shows_the_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(call("run", "--preset", "tiny", "--debug").exception, ValueError)
    monkeypatch.setenv("ASI_ARCH_DEBUG", "1")
    result = CliRunner().invoke(app, ["run", "--preset", "tiny"])
    assert isinstance(result.exception, ValueError)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot read p.py: No such file"),
        (b"\xff\xfe\x00\x80", "p.py is not a text file"),
        (b"#" * 2**21, "p.py has over"),
    ],
)
@pytest.mark.parametrize("command", [("verify",), ("train", "--stage", "probe")])
def test_unreadable_program(
    call: Call, command: tuple[str, ...], content: bytes | None, sentence: str
) -> None:
    if content is not None:
        Path("p.py").write_bytes(content)
    assert sentence in refused(call(*command, "p.py"))
