"""Keep the proofs of a run: its audit, and apart what checks read off a clock."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def number(name: str) -> sa.Column:
    return sa.Column(name, sa.Double(), nullable=True)


def key(name: str, kind: type[sa.types.TypeEngine] = sa.Integer) -> sa.Column:
    return sa.Column(name, kind(), primary_key=True, nullable=False)


def upgrade() -> None:
    timings = sa.Column("timings", sa.JSON(), nullable=False, server_default="{}")
    op.add_column("findings", timings)
    op.create_table(
        "audits",
        key("experiment_id"),
        key("stage", sa.Text),
        key("seed", sa.BigInteger),
        number("reported"),
        number("recomputed"),
        number("loss_tolerance"),
        sa.Column("positions", sa.Integer(), nullable=False),
        number("largest_change"),
        number("change_tolerance"),
        number("prefix_gain"),
        number("prefix_error"),
        sa.Column("flaw", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id", "stage", "seed"],
            ["runs.experiment_id", "runs.stage", "runs.seed"],
        ),
    )
