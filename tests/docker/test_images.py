"""The images and the compose file say only what install.sh and the program know."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from asi_arch.cli import options

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
KNOWN = {"FROM", "ARG", "COPY", "RUN", "ENV", "USER", "WORKDIR", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
each_image = pytest.mark.parametrize("kind", ["cpu", "gpu"], ids=["cpu image", "gpu image"])
RUN = re.compile(
    r"(--mount=type=cache,target=/root/\.cache/pip )?"
    r"sh /install\.sh (system (cpu|gpu)|dependencies|program|user)"
)


def instructions(kind: str) -> list[tuple[str, str]]:
    lines = (DOCKER / f"{kind}.Dockerfile").read_text().splitlines()
    pairs = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    return [(name, rest) for name, rest in pairs]


def values(kind: str, name: str) -> list[str]:
    return [rest for instruction, rest in instructions(kind) if instruction == name]


@each_image
def test_every_instruction_is_known_and_every_run_is_a_step_of_the_script(kind: str) -> None:
    assert {name for name, _ in instructions(kind)} <= KNOWN
    assert all(RUN.fullmatch(run) for run in values(kind, "RUN"))
    assert f"sh /install.sh system {kind}" in values(kind, "RUN")


@each_image
def test_bases_are_pinned_and_copied_files_exist(kind: str) -> None:
    assert all(
        re.match(r"python:3\.\d+-slim-\w+( AS \w+)?$", base) for base in values(kind, "FROM")
    )
    here = [copy.split()[:-1] for copy in values(kind, "COPY") if "--from" not in copy]
    assert all((ROOT / source).exists() for sources in here for source in sources)


@each_image
def test_code_is_copied_after_the_dependencies_and_nothing_runs_after_the_user(kind: str) -> None:
    steps = instructions(kind)
    dependencies = next(i for i, (_, rest) in enumerate(steps) if rest.endswith("dependencies"))
    assert steps.index(("COPY", ". /source")) > dependencies
    user = max(i for i, (name, _) in enumerate(steps) if name == "USER")
    uid = re.search(r"--uid (\d+)", (DOCKER / "install.sh").read_text())
    assert uid and steps[user][1] == f"{uid[1]}:{uid[1]}"
    assert "RUN" not in {name for name, _ in steps[user:]}


@each_image
def test_the_healthcheck_is_a_command_of_the_program(kind: str) -> None:
    command = json.loads(values(kind, "HEALTHCHECK")[0].partition("CMD ")[2])
    assert command[0] == json.loads(values(kind, "ENTRYPOINT")[0])[0] == "asi-arch"
    shown = [sys.executable, "-m", "asi_arch", *command[1:], "--help"]
    assert subprocess.run(shown, cwd=ROOT, capture_output=True, check=False).returncode == 0


def compose() -> Any:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_postgresql_is_pinned_and_checked_and_its_password_required() -> None:
    db = compose()["services"]["db"]
    assert re.fullmatch(r"postgres:\d+\.\d+", db["image"])
    assert db["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert db["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


@pytest.mark.parametrize("service", ["asi-arch", "asi-arch-gpu"])
def test_the_program_waits_for_postgresql_and_finds_its_url(service: str) -> None:
    settings = compose()["services"][service]
    assert settings["depends_on"] == {"db": {"condition": "service_healthy"}}
    (name, url), *rest = settings["environment"].items()
    assert not rest and f'"{name}"' in Path(options.__file__).read_text()
    assert re.fullmatch(r"postgresql://asi:\$\{POSTGRES_PASSWORD:\?[^}]+\}@db:5432/asi", url)
    assert (DOCKER / settings["build"]["dockerfile"].removeprefix("docker/")).exists()


@pytest.mark.slow
def test_the_python_steps_work_in_an_empty_environment(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"VENV": str(tmp_path / "venv"), "SOURCE": str(ROOT), "PYTHON": sys.executable}
    for step in ("dependencies", "program"):
        subprocess.run(["sh", str(DOCKER / "install.sh"), step], env=env, check=True)
    program = tmp_path / "venv/bin/asi-arch"
    command = json.loads(values("cpu", "HEALTHCHECK")[0].partition("CMD ")[2])
    subprocess.run([program, *command[1:]], cwd=tmp_path, env=env, check=True)
