"""Which schema a database has, and how it becomes the newest.

alembic is imported only to migrate: opening a database that is up to date must stay fast.
"""

import shlex
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from asi_arch.content import content
from asi_arch.errors import UserError

_LOCK = 25070818074  # any number, but the same in every process


def revisions() -> list[str]:
    """Return the known revisions, oldest first: what the names of the migrations begin with."""
    return sorted(path.name.partition("_")[0] for path in _folder().glob("versions/[0-9]*.py"))


def current(connection: Connection, where: str) -> str | None:
    """Return the revision of the database, None when it is empty.

    Raises:
        UserError: it has tables that are not ours, or its schema is newer than this version.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables or "experiments" not in tables:
        raise UserError(f"{where} is not an asi-arch database; name another one with --db")
    revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if revision not in revisions():
        raise UserError(
            f"{where} was made by a newer asi-arch (schema {revision}, this version knows "
            f"{revisions()[-1]}); upgrade with pip install -U asi-arch"
        )
    return revision


def require_newest(connection: Connection, where: str) -> bool:
    """Return whether the schema is the newest, False when the database is empty.

    Raises:
        UserError: the schema is older or newer than this version, or the database is not ours.
    """
    revision = current(connection, where)
    if revision is not None and revision != revisions()[-1]:
        raise UserError(
            f"{where} was made by an older asi-arch (schema {revision}, this version needs "
            f"{revisions()[-1]}); run: asi-arch db upgrade --db {shlex.quote(where)}"
        )
    return revision is not None


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest revision, within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def wait_for_turn(connection: Connection) -> None:
    """Hold off other processes that migrate; SQLite's write transaction does it by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _folder() -> Path:
    return content("db") / "migrations"
