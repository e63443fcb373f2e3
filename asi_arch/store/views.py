"""Ask the SQL views, and describe the database itself."""

from typing import TypeVar

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from asi_arch.records import Record
from asi_arch.store import database
from asi_arch.store.campaigns import find_campaign
from asi_arch.store.records import (
    DatabaseInfo,
    LeaderboardRow,
    LineageRow,
    ProvenanceRow,
    SpendRow,
)
from asi_arch.store.tables import Row

R = TypeVar("R", bound=Record)


def list_leaderboard(session: Session, campaign_id: int) -> list[LeaderboardRow]:
    """Return the ranked experiments, then those without fitness."""
    return _read(
        session, campaign_id, LeaderboardRow, "leaderboard", "rank IS NULL, rank, kind, number"
    )


def list_lineage(session: Session, campaign_id: int) -> list[LineageRow]:
    """Return every experiment with its parent, roots first."""
    return _read(session, campaign_id, LineageRow, "lineage", "depth, kind, number")


def list_provenance(session: Session, campaign_id: int) -> list[ProvenanceRow]:
    """Return the counts of components by origin and category."""
    return _read(session, campaign_id, ProvenanceRow, "provenance", "origin, category")


def list_spend(session: Session, campaign_id: int) -> list[SpendRow]:
    """Return what language models and training have used."""
    return _read(session, campaign_id, SpendRow, "spend", "kind, name, model")


def _read(session: Session, campaign_id: int, record: type[R], view: str, order: str) -> list[R]:
    find_campaign(session, campaign_id)
    query = text(f"SELECT * FROM {view} WHERE campaign_id = :campaign_id ORDER BY {order}")
    rows = session.execute(query, {"campaign_id": campaign_id}).mappings()
    return [record.model_validate(dict(row)) for row in rows]


def describe(session: Session) -> DatabaseInfo:
    """Return where the database is, its schema and its size."""
    url = session.get_bind().engine.url
    tables = sorted(Row.metadata.tables.values(), key=lambda table: table.name)
    return DatabaseInfo(
        url=url.render_as_string(hide_password=True),
        revision=session.execute(text("SELECT version_num FROM alembic_version")).scalar_one(),
        rows={
            table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        },
        bytes=_size(session),
    )


def _size(session: Session) -> int:
    path = database.sqlite_path(session.get_bind().engine.url)
    if path is None:
        return int(
            session.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        )
    files = [path, path.with_name(path.name + "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
