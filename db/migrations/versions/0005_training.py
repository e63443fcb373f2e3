"""Keep how a run was trained, and which documents its held-out windows are of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for column in (
        sa.Column("flops_per_token", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("learning_rate", sa.Double(), nullable=False, server_default="0"),
        sa.Column("sweep", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("micro_batch", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("compiled", sa.Text(), nullable=False, server_default="no"),
        sa.Column("device", sa.Text(), nullable=False, server_default=""),
        sa.Column("documents", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("shares", sa.JSON(), nullable=False, server_default="{}"),
    ):
        op.add_column("runs", column)
