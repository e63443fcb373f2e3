"""Put a campaign together from a configuration, or from what the database says of it."""

import fcntl
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asi_arch.backends.prices import load_prices
from asi_arch.baselines import baseline_program
from asi_arch.campaign import Campaign
from asi_arch.config import Config
from asi_arch.configure import changed_config, stored_config
from asi_arch.errors import UserError
from asi_arch.interfaces import Ledger, Team, Watcher
from asi_arch.jobs import LocalRunner
from asi_arch.jobs.spec import require_vocabulary
from asi_arch.lab import Lab, Slots
from asi_arch.ledger import CampaignLedger
from asi_arch.memory import Memory, make_library
from asi_arch.records import Campaign as CampaignRecord
from asi_arch.search.samplers import make_sampler
from asi_arch.store import Store


def new_campaign(store: Store, config: Config, files: Path) -> CampaignRecord:
    """Record a campaign that has not begun; its job folders will lie under `files`.

    Raises:
        UserError: a baseline or backend is unknown, the data do not fit the stages, or the folder
            cannot be written.
    """
    require_vocabulary(config)
    for name in config.baselines:
        baseline_program(name)
    make_team(config, CampaignLedger(store, 0, config.budget))
    make_library(store, config)
    folder = files / f"campaign-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; name another --db") from error
    values = config.settled().model_dump(mode="json")
    return store.create_campaign(config.name, config.seed, values, str(folder.resolve()))


def reopen_campaign(
    store: Store, campaign_id: int | None, settings: Iterable[str] = ()
) -> CampaignRecord:
    """Return a recorded campaign to go on with, its budget and jobs changed by `settings`.

    Raises:
        UserError: there is none, a setting would change what has been measured, or more
            experiments are begun than it allows.
    """
    campaign = store.campaign(campaign_id)
    config = changed_config(stored_config(campaign), settings)
    begun = len(store.experiments(campaign.id, kind="candidate"))
    if config.budget.experiments < begun:
        raise UserError(
            f"budget.experiments = {config.budget.experiments} is less than the {begun} that "
            f"campaign {campaign.id} has begun; ask for at least {begun}"
        )
    store.set_campaign_config(campaign.id, config.model_dump(mode="json"))
    return store.campaign(campaign.id)


def is_done(campaign: CampaignRecord, settings: Iterable[str] = ()) -> bool:
    """Return whether a campaign is complete, and `settings` ask for no further experiments.

    Raises:
        UserError: a setting would change what has been measured.
    """
    if campaign.status != "complete":
        return False
    config = stored_config(campaign)
    return changed_config(config, settings).budget.experiments <= config.budget.experiments


def make_campaign(store: Store, record: CampaignRecord, watcher: Watcher) -> Campaign:
    """Return the campaign of a record, ready to run in this process."""
    config = stored_config(record)
    runner = LocalRunner(Path(record.folder) / "jobs", config.sandbox, gpus=config.jobs.gpus)
    prices = load_prices(Path(config.prices) if config.prices else None)
    ledger = CampaignLedger(store, record.id, config.budget, prices, watcher.on_message)
    team = make_team(config, ledger)
    sampler, slots = make_sampler(config.search), Slots(config.jobs)
    return Campaign(Lab(Memory(store, record, config), team, sampler, runner, watcher, slots))


def make_team(config: Config, ledger: Ledger) -> Team:
    """Return the team that the configuration names.

    Raises:
        UserError: a backend is unknown or lacks its key.
    """
    if config.team == "llm":
        from asi_arch.team.llm import llm_team

        return llm_team(config.roles, ledger, config.show.tokens, config.agents)
    from asi_arch.team.rules import rule_team

    return rule_team(config.team)


@contextmanager
def only_process(record: CampaignRecord) -> Iterator[None]:
    """Make sure that no other process runs the same campaign; the lock dies with its holder.

    Raises:
        UserError: another process holds it.
    """
    path = Path(record.folder) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"campaign {record.id} is being run by another process; watch it with: "
                "asi-arch status --watch"
            ) from error
        file.write(str(os.getpid()))
        file.flush()
        yield
