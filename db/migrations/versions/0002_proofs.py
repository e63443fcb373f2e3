"""Keep what checks read off a clock apart from what they measure the same every time."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    timings = sa.Column("timings", sa.JSON(), nullable=False, server_default="{}")
    op.add_column("findings", timings)
