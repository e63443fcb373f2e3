"""A real little package brings a backend; another of its backends is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parent / "plugin_package"
PIP = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")
MAKE = """
import asyncio
from asi_arch.backends import backend_names, make_backend
from asi_arch.records import RoleSettings
from asi_arch.testing import check_backend

asyncio.run(check_backend(lambda: make_backend("echoing", RoleSettings(model="m"))))
print(type(make_backend("echoing", RoleSettings())).__name__, backend_names()[-1])
try:
    make_backend("out-of-order", RoleSettings())
except ValueError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", *PIP, "--no-build-isolation"]
    subprocess.run([*command, "--target", target, PACKAGE], check=True)
    return target


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def asi_arch(folder: Path, *arguments: str) -> Any:
    done = python(folder, "-m", "asi_arch", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_made_by_its_name_and_keeps_the_promises(folder: Path) -> None:
    done = python(folder, "-c", MAKE)
    assert done.returncode == 0, done.stderr
    made, broken = done.stdout.splitlines()
    assert made == "EchoingBackend echoing"
    assert "cannot load backend 'out-of-order'" in broken and "NoSuchBackend" in broken
    assert "'out-of-order' (echoing_backend:NoSuchBackend) is broken, skipped" in done.stderr


def test_the_command_line_lists_it_and_names_the_broken_one(folder: Path) -> None:
    rows = {row["name"]: row for row in asi_arch(folder, "backends")}
    assert rows["echoing"] == {
        "name": "echoing",
        "origin": "echoing-backend 1.2.3",
        "summary": "Answers with the JSON that the question holds",
        "problem": "",
        "ready": True,
    }
    assert not rows["out-of-order"]["ready"]
    assert "NoSuchBackend" in rows["out-of-order"]["problem"]


def test_the_command_line_checks_it(folder: Path) -> None:
    found = asi_arch(folder, "backends", "check", "echoing")
    assert found["usable"] and {check["state"] for check in found["checks"]} == {"ok"}
