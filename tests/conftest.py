"""Fixtures shared by all tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from asi_arch.jobs.gpus import machine_gpus
from asi_arch.store import Store
from asi_arch.store.database import parse_url


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run what takes minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skipped = {} if config.getoption("--slow") else {"slow": "takes minutes; run with --slow"}
    if not machine_gpus():
        skipped["gpu"] = "this machine has no GPU"
    for item in items:
        for name in skipped:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=skipped[name]))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once for each kind."""
    if request.param == "sqlite":
        yield str(tmp_path / "test.db")
        return
    server = os.environ.get("ASI_ARCH_TEST_PG")
    if not server:
        pytest.skip("ASI_ARCH_TEST_PG names no server; see tests/postgres.py")
    with fresh_schema(server) as url:
        yield url


@contextmanager
def fresh_schema(server: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    engine = create_engine(parse_url(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        url = engine.url.update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        yield store
