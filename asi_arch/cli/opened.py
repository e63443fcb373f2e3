"""Open the database and find the campaign that a query is about."""

import fcntl
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asi_arch.cli.options import DEFAULT_DB
from asi_arch.records import Campaign

if TYPE_CHECKING:
    from asi_arch.store import Store


@contextmanager
def opened(db: str, campaign_id: int | None = None) -> "Iterator[tuple[Store, Campaign]]":
    """Open an existing database and one of its campaigns, the latest for None.

    Raises:
        UserError: there is no such database or campaign.
    """
    from asi_arch.store import Store

    with Store.open(db, create=False) as store:
        yield store, store.campaign(campaign_id)


def files_beside(db: str) -> Path:
    """Return the folder for job files: beside a SQLite file, here for a server."""
    from asi_arch.store.database import parse_url, sqlite_path

    path = sqlite_path(parse_url(db))
    return Path("asi-arch.files") if path is None else path.with_name(path.name + ".files")


def shown_db(db: str) -> str:
    """Return the database as it may be printed: without a password."""
    from asi_arch.store.database import parse_url, shown

    return shown(parse_url(db))


def is_held(campaign: Campaign) -> bool:
    """Return whether a process runs this campaign; its lock dies with it."""
    try:
        with (Path(campaign.folder) / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def seconds_held(campaign: Campaign) -> float:
    """Return for how long the process that runs this campaign has run it."""
    return time.time() - (Path(campaign.folder) / "lock").stat().st_mtime


def state_of(campaign: Campaign) -> str:
    """Return how the campaign stands: as recorded, or interrupted when nobody runs it any more."""
    if campaign.status == "running" and not is_held(campaign):
        return "interrupted"
    return campaign.status


def resume_command(db: str, campaign_id: int | None = None) -> str:
    """Return the command that goes on with a campaign, the latest for None."""
    database = "" if db == DEFAULT_DB else f" --db {shlex.quote(shown_db(db))}"
    campaign = "" if campaign_id is None else f" --campaign {campaign_id}"
    return f"asi-arch resume{database}{campaign}"
