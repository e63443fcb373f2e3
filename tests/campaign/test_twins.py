"""A candidate that computes what a known experiment computes is not trained."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asi_arch.baselines import baseline_program
from asi_arch.config import Config
from asi_arch.interfaces import Engineer, Team
from asi_arch.jobs.spec import verify_job
from asi_arch.launch import make_campaign, new_campaign, only_process
from asi_arch.records import Experiment, Job, Program, Proposal
from asi_arch.store import Store
from tests.campaigns import Silence, text_folder, tiny_config


@dataclass
class Copyist:
    """An Engineer whose first program is a known one; the others are its colleague's."""

    first: Program
    colleague: Engineer

    async def implement(
        self, experiment: Experiment, proposal: Proposal, parent: Experiment
    ) -> Program:
        if not experiment.rejections:
            return self.first
        return await self.colleague.implement(experiment, proposal, parent)

    async def repair(self, *args: object) -> Program:
        raise AssertionError("nothing needs repair here")


def with_first_program(tmp_path: Path, change: Callable[[str], str]) -> tuple[list[str], list[str]]:
    """Return what the candidate's proposals were rejected for, and its phases."""
    first = Program(source=change(baseline_program("deltanet").source))
    config = tiny_config(text_folder(tmp_path / "text"), "budget.experiments=1")
    watcher = Silence()
    with Store.open(str(tmp_path / "a.db")) as store:
        record = new_campaign(store, config, tmp_path)
        with only_process(record):
            campaign = make_campaign(store, record, watcher)
            team = campaign.lab.team
            engineer = Copyist(first, team.engineer)
            campaign.lab.team = Team(team.researcher, engineer, team.analyst)
            asyncio.run(campaign.run())
        (candidate,) = store.experiments(record.id, kind="candidate")
        names = {e.id: e.name for e in store.experiments(record.id)}
    rejected = [reason.rpartition(" ") for reason in candidate.rejections]
    reasons = [f"{said} {names[int(id)]}" for said, _, id in rejected]
    return reasons, [phase for id, phase in watcher.phases if id == candidate.id]


def test_the_same_function_in_other_words_is_no_news(tmp_path: Path) -> None:
    said, phases = with_first_program(
        tmp_path,
        lambda source: source.replace("super().__init__()", "super().__init__()\n        print()"),
    )
    assert said == ["the same function as experiment deltanet"]
    assert phases[:5] == ["propose", "implement", "verify", "diversify", "implement"]


def test_the_same_words_are_not_even_verified(tmp_path: Path) -> None:
    said, phases = with_first_program(tmp_path, lambda source: f"# Mine!\n{source}")
    assert said == ["the same program as experiment deltanet"]
    assert phases[:5] == ["propose", "implement", "diversify", "implement", "verify"]


def test_a_verification_that_is_read_back_is_the_one_that_was_asked_for() -> None:
    """Else every verification would be done again after an interruption."""
    job = verify_job("one", "x = 1", Config())
    assert Job.model_validate_json(job.model_dump_json()) == job
