"""Make the first tables.

Revision ids are the numbers that the file names begin with; each follows the one before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def text(name: str, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=null)


def integer(name: str, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=null)


def big(name: str, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def number(name: str, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.Double(), nullable=null)


def json(name: str, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.JSON(), nullable=null)


def time(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def key(name: str = "id", kind: type[sa.types.TypeEngine] = sa.Integer) -> sa.Column:
    return sa.Column(name, kind(), primary_key=True, nullable=False)


def foreign(name: str, target: str, null: bool = False, primary: bool = False) -> sa.Column:
    kind = sa.Text() if target == "programs.hash" else sa.Integer()
    return sa.Column(name, kind, sa.ForeignKey(target), nullable=null, primary_key=primary)


def run_key() -> list[sa.Column]:
    return [key("stage", sa.Text), key("seed", sa.BigInteger)]


def part_of(table: str, *columns: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(columns, [f"{table}.{column}" for column in columns])


def upgrade() -> None:
    data()
    search()
    proposals()
    training()
    records()


def data() -> None:
    op.create_table(
        "datasets",
        key(),
        text("name"),
        text("sha256"),
        big("train_tokens"),
        big("heldout_tokens"),
        json("reference_losses"),
        sa.UniqueConstraint("sha256", "name", "train_tokens", "heldout_tokens"),
    )
    op.create_table(
        "documents",
        foreign("dataset_id", "datasets.id", primary=True),
        key("position"),
        text("path"),
        text("split"),
        big("size"),
        text("sha256"),
    )
    op.create_table(
        "knowledge",
        key("id", sa.Text),
        text("title"),
        text("authors"),
        integer("year"),
        json("tags"),
        json("related"),
        text("text"),
    )


def search() -> None:
    op.create_table(
        "campaigns",
        key(),
        text("name"),
        big("seed"),
        text("status"),
        text("reason"),
        json("config"),
        text("folder"),
        number("seconds"),
        json("conclusion", null=True),
        foreign("dataset_id", "datasets.id", null=True),
        time("created"),
    )
    op.create_table(
        "programs",
        key("hash", sa.Text),
        text("source"),
        text("fingerprint"),
    )
    op.create_index("ix_programs_fingerprint", "programs", ["fingerprint"])
    experiments()


def experiments() -> None:
    op.create_table(
        "experiments",
        key(),
        foreign("campaign_id", "campaigns.id"),
        integer("number"),
        text("kind"),
        text("status"),
        foreign("parent_id", "experiments.id", null=True),
        text("name"),
        integer("round"),
        number("fitness", null=True),
        text("reason"),
        foreign("program_hash", "programs.hash", null=True),
        time("created"),
        time("updated"),
        sa.UniqueConstraint("campaign_id", "kind", "number"),
    )
    op.create_index("ix_experiments_parent_id", "experiments", ["parent_id"])
    op.create_index("ix_experiments_program_hash", "experiments", ["program_hash"])
    op.create_table(
        "inspirations",
        foreign("experiment_id", "experiments.id", primary=True),
        key("position"),
        foreign("reference_id", "experiments.id"),
    )
    op.create_index("ix_inspirations_reference_id", "inspirations", ["reference_id"])


def proposals() -> None:
    op.create_table(
        "experiment_programs",
        foreign("experiment_id", "experiments.id", primary=True),
        key("attempt"),
        key("round"),
        foreign("program_hash", "programs.hash"),
    )
    op.create_index("ix_experiment_programs_program_hash", "experiment_programs", ["program_hash"])
    op.create_table(
        "proposals",
        foreign("experiment_id", "experiments.id", primary=True),
        key("attempt"),
        text("name"),
        text("motivation"),
        json("choices"),
        text("rejection", null=True),
        time("created"),
    )
    op.create_table(
        "components",
        key("experiment_id"),
        key("attempt"),
        key("position"),
        text("name"),
        text("category"),
        text("origin"),
        json("citations"),
        text("description"),
        part_of("proposals", "experiment_id", "attempt"),
    )
    op.create_table(
        "findings",
        foreign("experiment_id", "experiments.id", primary=True),
        key("round"),
        key("position"),
        text("check_name"),
        sa.Column("passed", sa.Boolean(), nullable=False),
        json("measured"),
        text("evidence"),
        text("hint"),
    )


def training() -> None:
    op.create_table(
        "runs",
        foreign("experiment_id", "experiments.id", primary=True),
        *run_key(),
        text("status"),
        text("reason"),
        big("parameters", null=True),
        big("non_embedding", null=True),
        integer("mlp_width", null=True),
        big("tokens", null=True),
        number("loss", null=True),
        number("loss_error", null=True),
        number("seconds", null=True),
        number("tokens_per_second", null=True),
        big("memory_bytes", null=True),
        json("heldout", null=True),
        time("created"),
    )
    op.create_index("ix_runs_stage", "runs", ["stage"])
    op.create_table(
        "metrics",
        key("experiment_id"),
        *run_key(),
        key("position"),
        integer("step"),
        big("tokens"),
        number("loss", null=True),
        part_of("runs", "experiment_id", "stage", "seed"),
    )
    op.create_table(
        "scores",
        key("experiment_id"),
        *run_key(),
        key("position"),
        text("benchmark"),
        text("metric"),
        number("value", null=True),
        number("error", null=True),
        integer("n"),
        part_of("runs", "experiment_id", "stage", "seed"),
    )
    op.create_index("ix_scores_benchmark_metric", "scores", ["benchmark", "metric"])


def records() -> None:
    op.create_table(
        "analyses",
        foreign("experiment_id", "experiments.id", primary=True),
        text("summary"),
        json("kept"),
        json("dropped"),
    )
    op.create_table(
        "calls",
        key(),
        sa.Column("request_key", sa.Text(), nullable=False, unique=True),
        foreign("experiment_id", "experiments.id"),
        text("role"),
        text("task"),
        integer("attempt"),
        text("model"),
        json("prompt"),
        text("reply"),
        integer("prompt_tokens"),
        integer("completion_tokens"),
        number("cost", null=True),
        number("seconds", null=True),
        time("created"),
    )
    op.create_index("ix_calls_experiment_id", "calls", ["experiment_id"])
    op.create_table(
        "events",
        key(),
        foreign("campaign_id", "campaigns.id"),
        foreign("experiment_id", "experiments.id", null=True),
        text("kind"),
        text("message"),
        time("created"),
    )
    op.create_index("ix_events_campaign_id", "events", ["campaign_id"])
