"""Run the migrations on the connection the caller gives, then make the views anew."""

from pathlib import Path

from alembic import context

from asi_arch.store.tables import Row

connection = context.config.attributes["connection"]
views = sorted((Path(__file__).parent.parent / "views").glob("*.sql"))

# A table cannot change under a view, and the files describe the newest tables only.
for view in views:
    connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view.stem}")

context.configure(
    connection=connection,
    target_metadata=Row.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

for view in views:
    connection.exec_driver_sql(view.read_text())
