"""Trainings that a rule ends early, and trainings that a kill interrupts."""

import asyncio
from pathlib import Path

import pytest

from asi_arch.jobs import LocalRunner
from asi_arch.jobs.paths import JobPaths
from asi_arch.jobs.spec import prepare_job
from asi_arch.measure import Examiner
from asi_arch.records import Measurement, Status
from asi_arch.store import Store
from tests.campaigns import run_campaign, text_folder, tiny_config
from tests.programs import PLAIN

CHATTY = PLAIN.replace(
    "        value = self.value", "        print('forward', flush=True)\n        value = self.value"
)


def test_a_stopped_candidate_is_a_row_with_its_reason(tmp_path: Path) -> None:
    config = tiny_config(
        text_folder(tmp_path / "text"), "explore.stop.band=1e-6", "budget.experiments=2"
    )
    database = str(tmp_path / "a.db")
    run_campaign(database, config, tmp_path)
    with Store.open(database) as store:
        campaign = store.campaign().id
        candidates = store.experiments(campaign, kind="candidate")
        baselines = store.experiments(campaign, kind="baseline")
        runs = [store.runs(campaign, stage="explore", experiment_id=c.id) for c in candidates]
    assert {candidate.status for candidate in candidates} == {Status.REJECTED}
    assert all(c.reason.startswith("stopped: explore seed 0: at step 1: ") for c in candidates)
    assert [[run.status for run in one] for one in runs] == [["stopped"], ["stopped"]]
    assert {baseline.status for baseline in baselines} == {Status.COMPLETE}


def test_a_confirmation_is_stopped_by_the_baselines_of_its_stage(tmp_path: Path) -> None:
    config = tiny_config(
        text_folder(tmp_path / "text"), "confirm.stop.band=1e-6", "budget.experiments=1"
    )
    database = str(tmp_path / "a.db")
    run_campaign(database, config, tmp_path)
    with Store.open(database) as store:
        campaign = store.campaign()
        (candidate,) = store.experiments(campaign.id, kind="candidate")
        runs = store.runs(campaign.id, stage="confirm", experiment_id=candidate.id)
    assert candidate.status is Status.COMPLETE
    assert {run.status for run in runs} == {"stopped"}
    assert campaign.conclusion is not None
    assert "No candidate came as far" in campaign.conclusion.sentence


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Examiner:
    folder = tmp_path_factory.mktemp("jobs")
    text = text_folder(tmp_path_factory.mktemp("text"))
    config = tiny_config(text, "explore.tokens=16384", "explore.checkpoint_minutes=0")
    return Examiner(LocalRunner(folder), config, folder / "data")


async def killed_on_the_way(examiner: Examiner, name: str) -> int:
    """Train until a checkpoint is there, kill everything, and return the lines of the log."""
    paths = JobPaths(examiner.runner.folder(name))
    work = asyncio.create_task(examiner.measure(name, CHATTY, "explore", 0, lambda point: None))
    while not paths.checkpoint.exists() or len(paths.read_metrics()) < 3:
        await asyncio.sleep(0.01)
    await examiner.runner.close()
    work.cancel()
    return len(paths.log.read_text().splitlines())


def test_a_killed_training_goes_on_from_its_checkpoint(examiner: Examiner) -> None:
    async def run() -> tuple[int, Measurement, Measurement]:
        await examiner.runner.run(prepare_job(examiner.config, examiner.data))
        done = await killed_on_the_way(examiner, "killed")
        again = Examiner(LocalRunner(examiner.data.parent), examiner.config, examiner.data)
        try:
            resumed = await again.measure("killed", CHATTY, "explore", 0, lambda point: None)
            whole = await again.measure("undisturbed", CHATTY, "explore", 0, lambda point: None)
        finally:
            await again.runner.close()
        return done, resumed, whole

    done, resumed, whole = asyncio.run(run())
    assert (resumed.loss, resumed.curve) == (whole.loss, whole.curve)
    lines = {
        name: len(JobPaths(examiner.runner.folder(name)).log.read_text().splitlines())
        for name in ("killed", "undisturbed")
    }
    assert done > 0 and lines["killed"] < lines["undisturbed"]
    assert not JobPaths(examiner.runner.folder("killed")).checkpoint.exists()
