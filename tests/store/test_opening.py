import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from asi_arch.errors import MissingExtra, UserError
from asi_arch.records import Status
from asi_arch.store import Store
from asi_arch.store.database import parse_url, shown


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An existing SQLite database with one campaign and one experiment."""
    path = tmp_path / "asi.db"
    with Store.open(str(path)) as store:
        campaign = store.create_campaign("first", 0, {}, "")
        store.start_experiment(campaign.id, 0, "baseline")
    return path


def test_path_and_url_are_the_same_database(path: Path) -> None:
    with Store.open(f"sqlite:///{path}", create=False) as store:
        assert store.campaign().name == "first"


def test_write_ahead_log_and_foreign_keys(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no database .*none\.db"):
        Store.open(str(tmp_path / "none.db"), create=False)
    with pytest.raises(UserError, match="there is no database"):
        Store.upgrade(str(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot open .*none/asi\.db: its folder is missing"):
        Store.open(str(tmp_path / "none" / "asi.db"))


def test_folder_that_takes_no_files() -> None:
    # Nobody, root included, can make a file there.
    with pytest.raises(UserError, match=r"cannot open /proc/asi-arch-test\.db: its folder"):
        Store.open("/proc/asi-arch-test.db")


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder, not a database"):
        Store.open(str(tmp_path))


@pytest.mark.parametrize("name", ["", ":memory:", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_would_be_lost(name: str) -> None:
    with pytest.raises(UserError, match="names no file"):
        Store.open(name)


def test_garbage(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 500)
    for use in (Store.open, Store.upgrade):
        with pytest.raises(UserError, match=r"notes\.txt is not an asi-arch database"):
            use(str(path))
    assert path.read_text().startswith("not a database")


def test_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    path.touch()
    with Store.open(str(path)) as store:
        assert store.campaigns() == []


def test_damaged_file(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"), Store.open(str(path)) as store:
        store.campaigns()


def test_read_only_database_can_be_read_but_not_written(path: Path) -> None:
    with Store.open(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert store.campaign().name == "first"
        assert len(store.leaderboard(1)) == 1
        for write in (
            lambda: store.create_campaign("second", 0, {}, ""),
            lambda: store.set_status(1, Status.TRAINED),
            lambda: store.log_event(1, None, "kind", "message"),
        ):
            with pytest.raises(UserError, match=rf"{path} is read-only; make the file"):
                write()


def test_read_only_new_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(UserError, match="is read-only"):
        Store.open(f"sqlite:///file:{path}?mode=ro&uri=true")


def test_locked_database(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Store.open(str(path), busy_timeout=0.05) as store:
        assert store.campaign().name == "first"
        with pytest.raises(UserError, match="is locked by another process"):
            store.add_seconds(1, 1.0)
        other.execute("ROLLBACK")
        store.add_seconds(1, 1.0)
        assert store.campaign().seconds == 1.0
    other.close()


def test_locked_while_opening(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE campaigns SET seconds = 0")
    for use in (Store.open, Store.upgrade):
        with pytest.raises(UserError, match="is locked by another process"):
            use(str(path), busy_timeout=0.05)
    other.close()


def test_full_disk(path: Path) -> None:
    with Store.open(str(path)) as store:
        store.campaigns()
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(UserError, match="the disk is full"):
            store.log_event(1, None, "kind", "x" * 1_000_000)
        assert store.events(1) == []


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql+asyncpg://host/db"])
def test_other_databases(url: str) -> None:
    with pytest.raises(
        UserError, match=r"unknown kind of database '.*'; use a file such as my\.db"
    ):
        Store.open(url)


def test_unreadable_url() -> None:
    with pytest.raises(UserError, match="cannot read the database URL"):
        Store.open("://nothing")


def test_no_server(tmp_path: Path) -> None:
    url = f"postgresql://ann:secret@/lab?host={tmp_path}"
    with pytest.raises(
        UserError, match=r"cannot use the PostgreSQL server at .*: connection"
    ) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert "ann" in str(caught.value)


def test_psycopg_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'asi-arch\[postgres\]'"):
        Store.open("postgresql://localhost/lab")


def test_the_password_is_not_shown(path: Path) -> None:
    with Store.open(str(path)) as store:
        assert store.info().url == f"sqlite:///{path}"
    assert shown(parse_url("postgresql://ann:secret@host/lab")) == (
        "postgresql+psycopg://ann:***@host/lab"
    )


def test_a_new_file_that_somebody_is_writing_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    later = threading.Timer(0.3, other.close)
    later.start()
    with Store.open(str(path)) as store:
        assert store.campaigns() == []
    later.join()
