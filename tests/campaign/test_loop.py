"""The whole loop with real jobs, at a size that takes seconds."""

from collections import Counter
from pathlib import Path

import pytest

from asi_arch.config import Config
from asi_arch.records import Status
from asi_arch.store import Store
from tests.campaigns import Silence, dump, run_campaign, text_folder, tiny_config


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_folder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def config(text: Path) -> Config:
    return tiny_config(text, "jobs.train=1", "jobs.verify=1", "jobs.llm=1")


@pytest.fixture(scope="module")
def first(config: Config, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of a finished campaign."""
    folder = tmp_path_factory.mktemp("first")
    database = str(folder / "first.db")
    run_campaign(database, config, folder)
    return database


def test_a_campaign_fills_the_database(first: str) -> None:
    with Store.open(first) as store:
        campaign = store.campaign()
        candidates = store.experiments(campaign.id, kind="candidate")
        baselines = store.experiments(campaign.id, kind="baseline")
        assert [c.number for c in candidates] == [1, 2, 3]
        assert [b.status for b in baselines] == [Status.COMPLETE] * 3
        assert all(c.status.is_finished for c in candidates)
        complete = [c for c in candidates if c.status is Status.COMPLETE]
        assert complete, [c.reason for c in candidates]
        for experiment in complete:
            assert experiment.proposal and experiment.proposal.components
            assert experiment.program and experiment.analysis and experiment.fitness is not None
            assert all(finding.passed for _, finding in store.findings(experiment.id)[-6:])
        rows = store.info().rows
    empty = {name for name, count in rows.items() if count == 0}
    assert empty <= {"calls", "embeddings", "judgements", "lessons", "traces"}


def test_every_program_is_trained_at_every_stage_it_reached(first: str) -> None:
    with Store.open(first) as store:
        campaign = store.campaign()
        runs = Counter((run.stage, run.experiment_id) for run in store.runs(campaign.id))
        names = {e.id: e.name for e in store.experiments(campaign.id)}
        confirmed = [id for stage, id in runs if stage == "confirm"]
        dataset = store.dataset(campaign.id)
        assert campaign.conclusion is not None
    assert {names[id] for stage, id in runs if stage == "explore"} >= {
        "transformer",
        "deltanet",
        "gated_deltanet",
    }
    assert len(confirmed) == 3 and all(runs["confirm", id] == 2 for id in confirmed)
    assert campaign.conclusion.best_id in confirmed
    assert campaign.conclusion.seeds == 2 and campaign.conclusion.noise is not None
    assert dataset is not None
    assert dataset.train_documents + dataset.heldout_documents == 60


def test_the_strongest_baseline_has_fitness_zero(first: str) -> None:
    with Store.open(first) as store:
        rows = store.leaderboard(store.campaign().id)
    baselines = [row for row in rows if row.kind == "baseline"]
    assert max(row.fitness for row in baselines if row.fitness is not None) == 0.0
    best = min(baselines, key=lambda row: row.explore_loss or 9)
    assert best.fitness == 0.0


def test_the_same_seed_gives_the_same_rows(first: str, config: Config, tmp_path: Path) -> None:
    run_campaign(str(tmp_path / "again.db"), config, tmp_path)
    assert dump(str(tmp_path / "again.db")) == dump(first)


def test_jobs_at_once_change_nothing(first: str, text: Path, tmp_path: Path) -> None:
    at_once = tiny_config(text, "jobs.train=3", "jobs.verify=2", "jobs.llm=3")
    run_campaign(str(tmp_path / "many.db"), at_once, tmp_path)
    assert dump(str(tmp_path / "many.db")) == dump(first)


def test_another_seed_gives_other_candidates(first: str, text: Path, tmp_path: Path) -> None:
    other = tiny_config(text, "seed=5", "budget.experiments=2")
    run_campaign(str(tmp_path / "other.db"), other, tmp_path)
    names = [
        {e["name"] for e in dump(database)["experiments"]}
        for database in (first, str(tmp_path / "other.db"))
    ]
    assert names[0] != names[1]


def test_a_campaign_runs_on_postgresql(
    database_url: str, config: Config, tmp_path: Path, first: str
) -> None:
    if "postgresql" not in database_url:
        pytest.skip("the other tests run on SQLite")
    run_campaign(database_url, config, tmp_path)
    assert dump(database_url)["runs"] == dump(first)["runs"]


def test_the_watcher_hears_of_every_phase(text: Path, tmp_path: Path) -> None:
    watcher = Silence()
    config = tiny_config(text, "budget.experiments=1")
    run_campaign(str(tmp_path / "a.db"), config, tmp_path, watcher)
    phases = [phase for id, phase in watcher.phases if id == 4]
    expected = ["propose", "implement", "verify", "probe seed 0", "explore seed 0", "analyse"]
    assert [phase for phase in phases if phase in expected] == expected
    protections, data = watcher.messages[:2]
    assert protections.startswith("sandbox")
    assert "data files: 60 documents" in data and "trigram" in data
