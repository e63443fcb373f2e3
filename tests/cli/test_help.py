"""Help, completion, the reference page, and what the command line may import."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from asi_arch.cli import app
from asi_arch.cli.options import complete_campaigns, complete_presets, complete_stages
from asi_arch.cli.reference import reference


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    below = getattr(command, "commands", {})
    if not below:
        yield path
    for name, inner in below.items():
        yield from commands(inner, (*path, name))


ROOT = Path(__file__).parents[2]
ALL = list(commands(typer.main.get_command(app)))


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the package can be found, installed or not."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_every_command_is_there() -> None:
    names = (
        "run resume status leaderboard show diff lineage provenance baselines spend verify train "
        "audit presets doctor db data backends knowledge prompts replay calls agreement lessons "
        "promote final compare stages export evaluate data"
    )
    assert {path[0] for path in ALL} == set(names.split())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_has_an_example_and_the_common_options(
    call: Callable[..., Any], path: tuple[str, ...]
) -> None:
    result = call(*path, "--help")
    assert result.exit_code == 0
    assert f"Example: asi-arch {' '.join(path)}" in result.stdout
    assert "--json" in result.stdout and "--debug" in result.stdout


def test_reference_page_is_up_to_date() -> None:
    page = ROOT / "docs" / "cli.md"
    assert page.read_text() == reference(), "run: python -m asi_arch.cli.reference > docs/cli.md"


def test_importing_the_command_line_is_light() -> None:
    heavy = "torch, openai, sqlalchemy, alembic, fla, transformers, triton, numpy"
    script = f"import sys, asi_arch.cli; print(*set('{heavy}'.split(', ')) & set(sys.modules))"
    done = python("-c", script)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_module_is_the_command() -> None:
    done = python("-m", "asi_arch", "presets")
    assert done.returncode == 0
    assert "demo" in done.stdout


@pytest.mark.parametrize("closed", ["1", "2", "0"])
def test_closed_streams(closed: str, populated: Any) -> None:
    script = f'exec {closed}>&-; exec "$@"'
    command = [sys.executable, "-m", "asi_arch", "leaderboard", "--db", populated.db]
    done = subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, b"")


def test_completion() -> None:
    assert complete_presets("de") == ["demo"]
    assert complete_stages("") == ["probe", "explore", "confirm", "final"]
    assert complete_stages("x") == []


def test_completion_of_campaigns(populated: Any) -> None:
    context = typer.Context(typer.main.get_command(app))
    assert complete_campaigns(context, "") == []
    context.params["db"] = populated.db
    assert complete_campaigns(context, "") == ["1"]
