"""Count the documents of a data set instead of listing them; keep its tokenizer."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBERS = ("train_documents", "heldout_documents", "heldout_bytes")


def upgrade() -> None:
    for name in _NUMBERS:
        op.add_column(
            "datasets", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        )
    op.add_column(
        "datasets", sa.Column("tokenizer", sa.Text(), nullable=False, server_default="bytes")
    )
    op.add_column(
        "datasets", sa.Column("vocab_size", sa.Integer(), nullable=False, server_default="256")
    )
    for split in ("train", "heldout"):
        op.execute(
            f"UPDATE datasets SET {split}_documents = (SELECT count(*) FROM documents "
            f"WHERE documents.dataset_id = datasets.id AND documents.split = '{split}')"
        )
    op.execute("UPDATE datasets SET heldout_bytes = heldout_tokens")
    op.drop_table("documents")
