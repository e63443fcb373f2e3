"""`asi-arch doctor`."""

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

import typer
from rich.text import Text

from asi_arch.baselines import baseline_program
from asi_arch.cli.alone import temporary_runner, verify_alone
from asi_arch.cli.opened import files_beside, shown_db
from asi_arch.cli.options import DEFAULT_DB, Db, Debug, Json
from asi_arch.cli.output import Column, out, print_json, table
from asi_arch.cli.signals import run_until_signal
from asi_arch.configure import load_config
from asi_arch.errors import AsiArchError, UserError
from asi_arch.jobs.sandbox import FIXES, KEPT, gaps
from asi_arch.records import Protections

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_GIB = 2**30


class Check(NamedTuple):
    """What was looked at and what was seen."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str


def doctor(db: Db = DEFAULT_DB, json: Json = False, debug: Debug = False) -> None:
    """Look whether this machine can run a campaign.

    One real job is run. Exit code 1 if something that is needed fails.

    Example: asi-arch doctor
    """
    checks = [
        _python(),
        _torch(),
        _package("flash-linear-attention", "its layers can be read; kernels for the CPU are ours"),
        _package("triton", "only a GPU needs it"),
        _cores(),
        _memory(),
        _disk(files_beside(db)),
        *_jobs(),
        _database(db),
    ]
    failed = any(check.state == "fail" for check in checks)
    if json:
        print_json({"ok": not failed, "checks": [check._asdict() for check in checks]})
    else:
        columns = [
            Column[Check]("", lambda check: Text(check.state, _COLOURS[check.state]), left=True),
            Column[Check]("what", lambda check: check.name, left=True),
            Column[Check]("seen", lambda check: check.detail, left=True),
        ]
        out().print(table(columns, checks, out().width))
    if failed:
        raise typer.Exit(1)


def _python() -> Check:
    seen = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("python", "ok" if sys.version_info >= (3, 11) else "fail", seen)


def _torch() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check("torch", "fail", f"cannot be imported: {error}; run: pip install torch")
    if not torch.cuda.is_available():
        return Check("torch", "ok", f"{torch.__version__}, no CUDA: everything runs on the CPU")
    return Check("torch", "ok", f"{torch.__version__}, CUDA: {torch.cuda.get_device_name()}")


def _package(name: str, without: str) -> Check:
    """Look up a version without importing the package, which may cost seconds."""
    try:
        return Check(name, "ok", version(name))
    except PackageNotFoundError:
        return Check(name, "warn", f"not installed; {without}")


def _cores() -> Check:
    cores = len(os.sched_getaffinity(0))
    return Check(
        "cores", "ok" if cores > 1 else "warn", f"{cores}; training jobs at once: --train-jobs"
    )


def _memory() -> Check:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB
    return Check("memory", "ok" if total >= 4 else "warn", f"{total:.1f} GiB")


def _disk(files: Path) -> Check:
    folder = next(path for path in (files, *files.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free / _GIB
    state: Literal["ok", "warn"] = "ok" if free >= 1 else "warn"
    return Check("disk", state, f"{free:.1f} GiB free at {folder.absolute()}")


def _jobs() -> list[Check]:
    """Run one real job: a baseline must pass the first check."""
    try:
        passed, found = run_until_signal(_try_job())
    except (AsiArchError, OSError) as error:
        return [Check("jobs", "fail", f"a trial job did not run: {error}")]
    seen = "a trial job verified a baseline" if passed else "a baseline failed its verification"
    return [Check("jobs", "ok" if passed else "fail", seen), *_protections(found)]


def _protections(found: Protections) -> list[Check]:
    """Return what keeps generated code from this machine, and what it can do where nothing does."""
    inside = "used" if found.bubblewrap else "not usable; in its place stands what follows"
    checks = [Check("bubblewrap", "ok" if found.bubblewrap else "warn", inside)]
    for name, kept in KEPT.items():
        gap = gaps(found).get(name)
        seen = f"{gap}; {FIXES[name]}" if gap else kept
        checks.append(Check(f"sandbox: {name}", "warn" if gap else "ok", seen))
    return checks


async def _try_job() -> tuple[bool, Protections]:
    config = load_config()
    program = baseline_program(config.baselines[-1]).source
    async with temporary_runner() as runner:
        findings = await verify_alone(runner, config, program, {"only": ("contract",)})
        return all(finding.passed for finding in findings), runner.protections


def _database(db: str) -> Check:
    from asi_arch.store import Store
    from asi_arch.store.database import parse_url, sqlite_path

    try:
        path = sqlite_path(parse_url(db))
        if path is not None and not path.exists():
            return _database_to_be(path)
        with Store.open(db, create=False) as store:
            found = store.info()
    except UserError as error:
        return Check("database", "fail", str(error))
    return Check("database", "ok", f"{shown_db(db)}, schema {found.revision}")


def _database_to_be(path: Path) -> Check:
    if os.access(path.absolute().parent, os.W_OK):
        return Check("database", "ok", f"{path} is not there yet; asi-arch run makes it")
    return Check("database", "fail", f"{path.absolute().parent} is not writable; set --db")
