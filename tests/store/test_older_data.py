"""Data sets that an earlier schema described file by file."""

import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from asi_arch.content import content
from asi_arch.store import Store
from tests.store.test_schema import connected

OLD_ROWS = (
    "INSERT INTO datasets (id, name, sha256, train_tokens, heldout_tokens, reference_losses) "
    "VALUES (1, 'stdlib', 'ab', 900, 100, '{\"gzip\": 1.35}')",
    *(
        "INSERT INTO documents (dataset_id, position, path, split, size, sha256) "
        f"VALUES (1, {n}, 'f{n}', '{split}', 1, 'x')"
        for n, split in enumerate(["train", "train", "heldout"])
    ),
    "INSERT INTO campaigns (id, name, seed, status, reason, config, folder, seconds, dataset_id, "
    "created) VALUES (1, 'old', 0, 'complete', '', '{}', '', 0, 1, '2026-01-01 00:00:00')",
)


@pytest.fixture
def schema_0003(database_url: str, tmp_path: Path) -> str:
    """A database as revision 0003 leaves it, with a campaign and its data set."""
    shutil.copytree(content("db") / "migrations", tmp_path / "db" / "migrations")
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "db" / "migrations"))
    with connected(database_url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for statement in OLD_ROWS:
            connection.exec_driver_sql(statement)
    return database_url


def test_documents_become_counts(schema_0003: str) -> None:
    Store.upgrade(schema_0003)
    with Store.open(schema_0003, create=False) as store:
        dataset = store.dataset(1)
    assert dataset is not None
    assert (dataset.train_documents, dataset.heldout_documents) == (2, 1)
    assert (dataset.tokenizer, dataset.vocab_size, dataset.heldout_bytes) == ("bytes", 256, 100)
    assert dataset.references == {"gzip": 1.35} and dataset.train_tokens == 900
    with connected(schema_0003) as connection:
        assert not inspect(connection).has_table("documents")
        assert connection.execute(text("SELECT count(*) FROM leaderboard")).scalar_one() == 0
