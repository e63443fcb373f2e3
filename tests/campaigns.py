"""Tiny campaigns: the whole loop with real jobs in seconds."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from asi_arch.config import Config
from asi_arch.configure import load_config
from asi_arch.launch import make_campaign, new_campaign, only_process
from asi_arch.records import Campaign, Conclusion, Experiment, MetricPoint
from asi_arch.store import Store
from asi_arch.store.database import make_engine, parse_url
from asi_arch.store.tables import Row

_STAGE = {
    "tokens": 1024,
    "batch_size": 2,
    "length": 64,
    "hidden_size": 16,
    "parameters": 12_000,
    "heldout_windows": 4,
}
_PROBE = {
    "keys": 2,
    "writes": 4,
    "values": 4,
    "steps": 3,
    "hidden_size": 16,
    "parameters": 9_000,
}
_MACHINE = {
    "created",
    "updated",
    "seconds",
    "timings",
    "tokens_per_second",
    "memory_bytes",
    "shares",
    "folder",
}


class Silence:
    """A watcher that keeps the phases and messages."""

    def __init__(self) -> None:
        self.phases: list[tuple[int, str]] = []
        self.messages: list[str] = []

    def on_message(self, text: str) -> None:
        self.messages.append(text)

    def on_phase(self, experiment: Experiment, phase: str) -> None:
        self.phases.append((experiment.id, phase))

    def on_progress(self, *args: Any) -> None:
        assert isinstance(args[3], MetricPoint)

    def on_finished(self, experiment: Experiment) -> None:
        self.phases.append((experiment.id, "finished"))


def text_folder(folder: Path) -> Path:
    """Write sixty small files of words to train on."""
    folder.mkdir(exist_ok=True)
    words = ["state", "decay", "gate", "delta", "memory", "key", "value", "query", "chunk", "norm"]
    for number in range(60):
        chosen = (words[(number * place + place // 7) % len(words)] for place in range(1, 900))
        (folder / f"{number}.txt").write_text(" ".join(chosen))
    return folder


def tiny_settings(text: Path) -> list[str]:
    """Return the settings that make the demo preset tiny."""
    settings = [f"data.files={str(text)!r}", "data.source=files", "data.heldout_percent=30"]
    settings += [f"probe.{key}={value}" for key, value in _PROBE.items()]
    settings += [f"{name}.{key}={_STAGE[key]}" for name in ("explore", "confirm") for key in _STAGE]
    settings += ["explore.baseline_seeds=[0, 1]", "confirm.seeds=[11, 12]", "confirm.num_heads=2"]
    settings += ["verify.lengths=[1, 7, 40]", "jobs.verify=2"]
    return [*settings, "search.in_flight=3", "budget.experiments=3"]


def tiny_config(text: Path, *settings: str) -> Config:
    """Return a tiny configuration, changed by `settings`."""
    return load_config("demo", settings=[*tiny_settings(text), *settings])


def run_campaign(
    database: str, config: Config, files: Path, watcher: Silence | None = None
) -> tuple[Campaign, Conclusion | None]:
    """Run a new campaign to its end in this process."""
    with Store.open(database) as store:
        record = new_campaign(store, config, files)
        with only_process(record):
            campaign = make_campaign(store, record, watcher or Silence())
            conclusion = asyncio.run(campaign.run())
        return store.campaign(record.id), conclusion


def dump(database: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table but the logs, in the order of the primary key.

    Left out is only what tells of time, speed, memory and the machine.
    """
    tables = [t for t in Row.metadata.sorted_tables if t.name not in ("calls", "events")]
    engine = make_engine(parse_url(database), 5.0)
    with engine.connect() as connection:
        rows = {table.name: _plain_rows(connection, table) for table in tables}
    engine.dispose()
    for campaign in rows["campaigns"]:
        del campaign["config"]["jobs"]
    return rows


def _plain_rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    columns = [column for column in table.columns if column.name not in _MACHINE]
    rows = connection.execute(select(*columns).order_by(*table.primary_key))
    return [dict(row) for row in rows.mappings()]
