import asyncio
from pathlib import Path

import pytest

from asi_arch.errors import UserError
from asi_arch.jobs import LocalRunner, gpus
from asi_arch.jobs.gpus import Gpus, machine_gpus
from asi_arch.records import Job
from tests.programs import at_import


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of which we may use four GPUs."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 2,5,7")


def test_only_the_allowed_ones_count(four: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine_gpus() == ["0", "2", "5", "7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine_gpus() == []


def test_without_a_word_the_devices_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nvidia10", "nvidia9", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "Path", lambda path: tmp_path)
    assert machine_gpus() == ["9", "10"]


def test_each_job_gets_the_least_used(four: None) -> None:
    hand = Gpus(3)
    assert [hand.take() for _ in range(4)] == ["0", "2", "5", "0"]
    hand.give_back("5")
    assert hand.take() == "5"
    assert Gpus(0).take() == ""


def test_fewer_than_asked_for_is_explained(four: None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^8 GPUs are asked for and this machine gives 4; ask for"):
        asyncio.run(LocalRunner(tmp_path, gpus=8).start())


def test_a_job_sees_its_own_only(four: None, tmp_path: Path) -> None:
    program = at_import(
        "import os", "raise ValueError(f'sees {os.environ[\"CUDA_VISIBLE_DEVICES\"]}')"
    )

    async def run() -> list[str]:
        runner = LocalRunner(tmp_path, gpus=2)
        jobs = [
            Job(name=str(n), kind="verify", program=program, spec={"only": ["contract"]})
            for n in range(3)
        ]
        try:
            results = await asyncio.gather(*(runner.run(job) for job in jobs))
        finally:
            await runner.close()
        return [str(result.value) for result in results]

    found = asyncio.run(run())
    assert ["sees 0" in found[0], "sees 2" in found[1], "sees 0" in found[2]] == [True] * 3
