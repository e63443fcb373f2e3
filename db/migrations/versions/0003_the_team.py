"""Keep what the team thinks and asks: judgements, traces, lessons, failed calls, embeddings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def key(name: str, *constraints: sa.ForeignKey, kind: type = sa.Integer) -> sa.Column:
    return sa.Column(name, kind(), *constraints, primary_key=True, nullable=False)


def text(name: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False)


def listed(name: str) -> sa.Column:
    return sa.Column(name, sa.JSON(), nullable=False)


def of_experiment() -> sa.Column:
    return key("experiment_id", sa.ForeignKey("experiments.id"))


def upgrade() -> None:
    _change_calls()
    _change_proposals()
    op.add_column("runs", sa.Column("trace", sa.Text(), nullable=False, server_default=""))
    op.add_column("knowledge", sa.Column("source", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "judgements",
        of_experiment(),
        sa.Column("score", sa.Double(), nullable=False),
        text("reason"),
    )
    op.create_table(
        "traces",
        of_experiment(),
        key("position"),
        text("component"),
        text("origin"),
        listed("citations"),
        text("reason"),
    )
    op.create_table(
        "lessons",
        key("campaign_id", sa.ForeignKey("campaigns.id")),
        key("up_to"),
        key("position"),
        text("text"),
        listed("evidence"),
    )
    op.create_table(
        "embeddings",
        key("model", kind=sa.Text),
        key("entry_id", kind=sa.Text),
        text("digest"),
        listed("vector"),
    )


def _change_calls() -> None:
    with op.batch_alter_table("calls") as table:
        table.add_column(sa.Column("status", sa.Text(), nullable=False, server_default="answered"))
        table.add_column(sa.Column("error", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("faults", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(
            sa.Column("cached_tokens", sa.Integer(), nullable=False, server_default="0")
        )
        table.drop_constraint("uq_calls_request_key", type_="unique")
        table.create_index("ix_calls_request_key", ["request_key"])


def _change_proposals() -> None:
    op.add_column(
        "components", sa.Column("unsupported", sa.Text(), nullable=False, server_default="")
    )
    with op.batch_alter_table("proposals") as table:
        twin = sa.ForeignKey("experiments.id", name="fk_proposals_twin_id")
        table.add_column(sa.Column("twin_id", sa.Integer(), twin, nullable=True))
