"""Campaigns whose jobs answer at once and whose language models are behind HTTP, in real time."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from asi_arch.campaign import Campaign
from asi_arch.config import Config
from asi_arch.configure import stored_config
from asi_arch.lab import Lab, Slots
from asi_arch.launch import make_team, new_campaign, only_process
from asi_arch.ledger import CampaignLedger
from asi_arch.memory import Memory
from asi_arch.records import Campaign as CampaignRecord
from asi_arch.records import Conclusion, Job, JobResult
from asi_arch.search.samplers import make_sampler
from asi_arch.store import Store
from tests.campaigns import Silence
from tests.simulation import SimulatedRunner, at_once, success


def go_on(
    store: Store, record: CampaignRecord, config: Config, answer: Callable[[Job], JobResult]
) -> Conclusion | None:
    """Run a recorded campaign from where it stands to its end."""
    config = config.settled()
    runner = SimulatedRunner(at_once, Path(record.folder), answer)
    team = make_team(config, CampaignLedger(store, record.id, config.budget))
    sampler, slots = make_sampler(config.search), Slots(config.jobs)
    lab = Lab(Memory(store, record, config), team, sampler, runner, Silence(), slots)
    return asyncio.run(Campaign(lab).run())


def play(config: Config, folder: Path, answer: Callable[[Job], JobResult] = success) -> None:
    """Run a new campaign in the database a.db of the folder to its end."""
    with Store.open(str(folder / "a.db")) as store:
        assert go_on(store, new_campaign(store, config, folder), config, answer) is not None


def sit(database: str) -> None:
    """Go on with the campaign of a database, as a process of its own does that may be killed."""
    with Store.open(database) as store:
        record = store.campaign()
        with only_process(record):
            go_on(store, record, stored_config(record), success)


if __name__ == "__main__":
    sit(sys.argv[1])
