"""Connect to a database, and say in one sentence why that failed."""

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from asi_arch.errors import MissingExtra, UserError
from asi_arch.store import migrations

_SYMPTOMS = {
    "is locked": "{} is locked by another process; stop that process or wait, then try again",
    "readonly database": "{} is read-only; make the file and its folder writable",
    "read-only transaction": "{} is read-only; connect as a user who may write",
    "unable to open": "cannot open {}: its folder is missing or not writable; name another one",
    "not a database": "{} is not an asi-arch database; name another one with --db",
    "malformed": "{} is damaged; restore it from a copy",
    "is full": "cannot write {}: the disk is full; free some space and go on",
    "No space left": "cannot write {}: the disk is full; free some space and go on",
    "disk I/O error": "cannot write {}: the disk failed; see that it has space and is healthy",
}

_LOCKED_TRIES, _LOCKED_SECONDS = 200, 0.05


def parse_url(text: str) -> URL:
    """Return the URL of a SQLite file (a path will do) or of a PostgreSQL database.

    Raises:
        UserError: another kind of database, or no URL at all.
    """
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except (ArgumentError, ValueError) as error:
        raise UserError(f"cannot read the database URL {text!r}; {_FORMS}") from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise UserError(f"unknown kind of database {url.drivername!r}; {_FORMS}")
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise UserError(f"{text!r} names no file, so all would be lost in the end; {_FORMS}")
    return url


_FORMS = "use a file such as my.db, sqlite:///my.db, or postgresql://user@host/name"


def shown(url: URL) -> str:
    """Return the URL for people: a path for SQLite, no password for PostgreSQL."""
    path = sqlite_path(url)
    return str(path) if path else url.render_as_string(hide_password=True)


def sqlite_path(url: URL) -> Path | None:
    """Return the file of a SQLite database, None for other kinds."""
    if url.drivername != "sqlite":
        return None
    return Path((url.database or "").removeprefix("file:"))


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what a person can mend (a lock, a missing server, …) into a UserError."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        sentence = _sentence(url, original)
        if sentence is None:
            raise
        raise UserError(sentence) from error


def _sentence(url: URL, error: BaseException | None) -> str | None:
    for symptom, sentence in _SYMPTOMS.items():
        if symptom in str(error):
            return sentence.format(shown(url))
    if error.__class__.__module__.startswith("psycopg") and _is_about_server(error):
        reason = str(error).strip().splitlines()[0]
        return f"cannot use the PostgreSQL server at {shown(url)}: {reason}"
    return None


def _is_about_server(error: BaseException | None) -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError)


def connect(url: URL, create: bool, busy_timeout: float) -> Engine:
    """Return an engine on a database whose schema is the newest, made if `create` allows it.

    Raises:
        UserError: the database is missing, unusable, or of another schema.
        MissingExtra: PostgreSQL is asked for and psycopg is not installed.
    """
    with ExitStack() as on_failure, explained(url):
        _require_file(url, create)
        engine = make_engine(url, busy_timeout)
        on_failure.callback(engine.dispose)
        with engine.connect() as connection:
            ready = migrations.require_newest(connection, shown(url))
        if not ready:
            _make(engine, create)
        on_failure.pop_all()
        return engine


def upgrade(url: URL, busy_timeout: float) -> tuple[str, str]:
    """Migrate an existing database; return its old and its new revision.

    Raises:
        UserError: the database is missing, unusable, empty or newer than this version.
    """
    with ExitStack() as at_end, explained(url):
        _require_file(url, create=False)
        # SQLite can only change most things by remaking a table, which its references forbid.
        engine = make_engine(url, busy_timeout, foreign_keys=False)
        at_end.callback(engine.dispose)
        with writing(engine).begin() as connection:
            migrations.wait_for_turn(connection)
            old = migrations.current(connection, shown(url))
            if old is None:
                raise UserError(f"{shown(url)} is empty; nothing to upgrade")
            if old != migrations.revisions()[-1]:
                migrations.migrate(connection)
        return old, migrations.revisions()[-1]


def make_engine(url: URL, busy_timeout: float, foreign_keys: bool = True) -> Engine:
    """Return an engine; on SQLite it keeps foreign keys and begins transactions itself."""
    if url.drivername != "sqlite":
        try:
            return create_engine(url, connect_args={"connect_timeout": 10}, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise MissingExtra("psycopg", "postgres") from error
    engine = create_engine(url, connect_args={"timeout": busy_timeout})

    def set_up(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # Python's own BEGIN comes too late to read consistently
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        # Not every build of SQLite has it.
        connection.create_function("sqrt", 1, _square_root, deterministic=True)

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", _begin)
    return engine


def writing(engine: Engine) -> Engine:
    """Return the same engine for transactions that write: on SQLite they queue at their start."""
    return engine.execution_options(writes=True)


def reading(engine: Engine) -> Engine:
    """Return the same engine for transactions that see one state of the database throughout."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _square_root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(value)


def _require_file(url: URL, create: bool) -> None:
    path = sqlite_path(url)
    if path and path.is_dir():
        raise UserError(f"{path} is a folder, not a database; name a file in it")
    if path and not create and not path.exists():
        raise UserError(f"there is no database {path}; start a campaign or name another with --db")


def _write_ahead(engine: Engine) -> None:
    """Set the journal mode; here SQLite itself never waits for another process."""
    with engine.connect() as connection:  # below SQLAlchemy: no transaction may be open
        cursor = connection.connection.cursor()
        for left in reversed(range(_LOCKED_TRIES)):
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or not left:
                    raise
                time.sleep(_LOCKED_SECONDS)


def _make(engine: Engine, create: bool) -> None:
    where = shown(engine.url)
    if not create:
        raise UserError(f"{where} is empty; start a campaign or name another with --db")
    if engine.dialect.name == "sqlite":
        _write_ahead(engine)
    with writing(engine).begin() as connection:
        migrations.wait_for_turn(connection)
        if not migrations.require_newest(connection, where):
            migrations.migrate(connection)
