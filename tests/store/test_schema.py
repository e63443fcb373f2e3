import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError

from asi_arch import records
from asi_arch.content import content
from asi_arch.errors import UserError
from asi_arch.records import Campaign, Experiment
from asi_arch.store import Store, migrations
from asi_arch.store.database import make_engine, parse_url, writing
from asi_arch.store.tables import AuditRow, DatasetRow, KnowledgeRow, Row, RunRow

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("experiments") as table:
        table.alter_column("name", new_column_name="title")
    op.execute("UPDATE experiments SET title = 'renamed'")
    {last}
"""


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = make_engine(parse_url(url), 5.0)
    with writing(engine).begin() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder db/ of a later version, with one more migration."""
    folder = tmp_path / "db 100%"
    shutil.copytree(content("db"), folder, ignore=shutil.ignore_patterns("__pycache__"))
    script = folder / "migrations" / "versions" / "9000_rename.py"
    script.write_text(NEXT.format(last=""))
    for view in folder.glob("views/*.sql"):
        view.write_text(view.read_text().replace(".name", ".title AS name"))
    (folder / "views" / "spend.sql").write_text((content("db") / "views" / "spend.sql").read_text())
    monkeypatch.setattr(migrations, "content", lambda name: folder)
    return script


def test_models_and_migrations_agree(store: Store, database_url: str) -> None:
    with connected(database_url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []


def test_primary_and_foreign_keys_agree(store: Store, database_url: str) -> None:
    with connected(database_url) as connection:
        inspector = inspect(connection)
        for table in Row.metadata.tables.values():
            key = inspector.get_pk_constraint(table.name)["constrained_columns"]
            assert key == [column.name for column in table.primary_key]
            foreign = {
                (*k["constrained_columns"], k["referred_table"], *k["referred_columns"])
                for k in inspector.get_foreign_keys(table.name)
            }
            assert foreign == {
                (*k.column_keys, k.referred_table.name, *(e.column.name for e in k.elements))
                for k in table.foreign_key_constraints
            }


def test_migrations_are_one_line_of_numbers() -> None:
    config = Config()
    config.set_main_option("script_location", str(content("db") / "migrations"))
    script = ScriptDirectory.from_config(config)
    newest_first = [revision.revision for revision in script.walk_revisions()]
    assert newest_first[::-1] == migrations.revisions()


@pytest.mark.parametrize(
    ("row", "record", "elsewhere"),
    [
        (RunRow, records.Measurement, {"curve", "scores", "audit"}),
        (AuditRow, records.Audit, set()),
        (KnowledgeRow, records.Entry, set()),
        (DatasetRow, records.Dataset, {"references"}),
    ],
)
def test_every_field_has_a_column(
    row: type[Row], record: type[records.Record], elsewhere: set[str]
) -> None:
    assert record.model_fields.keys() - elsewhere <= set(row.__table__.columns.keys())


def test_foreign_keys_are_enforced(store: Store, campaign: Campaign) -> None:
    with pytest.raises(IntegrityError):
        store.start_experiment(campaign.id, 1, "candidate", parent_id=999)
    with pytest.raises(IntegrityError):
        store.log_event(999, None, "kind", "message")
    assert store.experiments(campaign.id) == []


def test_info(store: Store, campaign: Campaign, database_url: str) -> None:
    info = store.info()
    assert info.revision == migrations.revisions()[-1]
    assert (info.rows["campaigns"], info.rows["runs"]) == (1, 0)
    assert info.rows.keys() == Row.metadata.tables.keys()
    assert info.bytes > 10_000


def test_opening_is_quiet(database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    Store.open(database_url).close()
    assert capfd.readouterr() == ("", "")


def test_newer_schema(database_url: str) -> None:
    Store.open(database_url).close()
    with connected(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (Store.open, Store.upgrade):
        with pytest.raises(UserError, match=r"newer asi-arch .*pip install -U asi-arch"):
            use(database_url)


def test_older_schema_is_upgraded_with_its_rows(
    store: Store, candidate: Experiment, database_url: str, next_version: Path
) -> None:
    store.close()
    with pytest.raises(UserError, match=r"older asi-arch .*run: asi-arch db upgrade --db "):
        Store.open(database_url)
    assert Store.upgrade(database_url) == ("0005", "9000")
    assert Store.upgrade(database_url) == ("9000", "9000")
    with connected(database_url) as connection:
        titles = connection.execute(text("SELECT title FROM experiments")).scalars().all()
        assert titles == ["renamed", "renamed"]
        assert connection.execute(text("SELECT count(*) FROM leaderboard")).scalar_one() == 2
    Store.open(database_url).close()


def test_failed_migration_changes_nothing(
    store: Store,
    candidate: Experiment,
    database_url: str,
    next_version: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.close()
    next_version.write_text(NEXT.format(last="op.execute('SELECT 1 / nothing')"))
    with pytest.raises(Exception, match="nothing"):
        Store.upgrade(database_url)
    monkeypatch.undo()
    with Store.open(database_url, create=False) as again:
        assert again.experiment(candidate.id) == candidate
        assert len(again.leaderboard(candidate.campaign_id)) == 2


def test_upgrading_the_newest_changes_nothing(store: Store, database_url: str) -> None:
    newest = migrations.revisions()[-1]
    assert Store.upgrade(database_url) == (newest, newest)


def test_empty_database_is_not_used_unasked(database_url: str) -> None:
    with pytest.raises(UserError, match=r"empty|there is no database"):
        Store.open(database_url, create=False)
    with pytest.raises(UserError, match=r"empty|there is no database"):
        Store.upgrade(database_url)


def test_another_programs_database_is_left_alone(database_url: str) -> None:
    with connected(database_url) as connection:
        connection.execute(text("CREATE TABLE recipes (id INTEGER)"))
    with pytest.raises(UserError, match="is not an asi-arch database"):
        Store.open(database_url)
    with connected(database_url) as connection:
        assert inspect(connection).get_table_names() == ["recipes"]
