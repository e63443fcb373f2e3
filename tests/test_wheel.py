"""The built wheel, installed in a clean environment, runs a campaign from any folder."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.campaigns import text_folder, tiny_settings

ROOT = Path(__file__).parents[1]


def command(*words: str | Path, cwd: Path) -> str:
    """Run a command without our environment and return what it prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "OMP_NUM_THREADS": "1"}
    environment |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command(sys.executable, "-m", "build", "-w", "-n", "-o", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_words_and_sql(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    content = [name for name in names if name.startswith("asi_arch/_content/")]
    assert any(name.endswith("researcher/propose.md") for name in content)
    assert any(name.endswith("views/leaderboard.sql") for name in content)
    assert not [name for name in names if name.startswith(("agents/", "db/", "tests/"))]


def run_a_campaign(python: Path, folder: Path) -> None:
    """Run a tiny campaign with an installed asi-arch, and look at it."""
    where = command(python, "-c", "import asi_arch; print(asi_arch.__file__)", cwd=folder)
    assert Path(where.strip()).is_relative_to(python.parents[1])
    asi_arch = python.parent / "asi-arch"
    words = [w for s in tiny_settings(text_folder(folder / "text")) for w in ("--set", s)]
    words += ["--experiments", "1", "--json"]
    result = json.loads(command(asi_arch, "run", *words, cwd=folder))
    assert result["campaign"]["status"] == "complete"
    assert len(result["leaderboard"]) == 4
    assert (folder / "asi-arch.db").exists()
    assert "baseline" in command(asi_arch, "leaderboard", "--json", cwd=folder)


def test_the_wheel_runs_from_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """The dependencies come from here; a clean download of them is the slow test below."""
    command(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    command(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    run_a_campaign(python, tmp_path)


@pytest.mark.slow
def test_the_wheel_brings_all_it_needs(wheel: Path, tmp_path: Path) -> None:
    command(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    pins = ROOT / "constraints.txt"
    command(python, "-m", "pip", "install", "-q", "-c", pins, wheel, cwd=tmp_path)
    run_a_campaign(python, tmp_path)
