"""The tables as typed SQLAlchemy models; `db/migrations` creates them."""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from asi_arch.store.columns import CleanText, Json, Number, UtcTime, now

Key = Annotated[int, mapped_column(primary_key=True)]
TextKey = Annotated[str, mapped_column(primary_key=True)]
BigKey = Annotated[int, mapped_column(BigInteger, primary_key=True)]
Big = Annotated[int, mapped_column(BigInteger)]
BigOrNone = Annotated[int | None, mapped_column(BigInteger)]
Created = Annotated[datetime, mapped_column(default=now)]
CampaignId = Annotated[int, mapped_column(ForeignKey("campaigns.id"))]
ExperimentKey = Annotated[int, mapped_column(ForeignKey("experiments.id"), primary_key=True)]


class Row(DeclarativeBase):
    """Base of all rows."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: CleanText,
        float: Number,
        datetime: UtcTime,
        dict[str, Any]: Json,
        list[Any]: Json,
    }


class DatasetRow(Row):
    """What campaigns train on; `reference_losses` are those of trivial models, nats per token."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("sha256", "name", "train_tokens", "heldout_tokens"),)
    id: Mapped[Key]
    name: Mapped[str]
    sha256: Mapped[str]
    tokenizer: Mapped[str]
    vocab_size: Mapped[int]
    train_documents: Mapped[Big]
    heldout_documents: Mapped[Big]
    train_tokens: Mapped[Big]
    heldout_tokens: Mapped[Big]
    heldout_bytes: Mapped[Big]
    reference_losses: Mapped[dict[str, Any]]


class CampaignRow(Row):
    """One search."""

    __tablename__ = "campaigns"
    id: Mapped[Key]
    name: Mapped[str]
    seed: Mapped[Big]
    status: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    config: Mapped[dict[str, Any]]
    folder: Mapped[str]
    seconds: Mapped[float] = mapped_column(default=0.0)
    conclusion: Mapped[dict[str, Any] | None]
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id"))
    created: Mapped[Created]


class ProgramRow(Row):
    """Source text by content hash; programs of the same meaning share a fingerprint."""

    __tablename__ = "programs"
    hash: Mapped[TextKey]
    source: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(index=True)


class ExperimentRow(Row):
    """A candidate or a baseline; `program_hash` is its current program."""

    __tablename__ = "experiments"
    __table_args__ = (UniqueConstraint("campaign_id", "kind", "number"),)
    id: Mapped[Key]
    campaign_id: Mapped[CampaignId]
    number: Mapped[int]
    kind: Mapped[str]
    status: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("experiments.id"), index=True)
    name: Mapped[str]
    round: Mapped[int] = mapped_column(default=0)
    fitness: Mapped[float | None]
    reason: Mapped[str] = mapped_column(default="")
    program_hash: Mapped[str | None] = mapped_column(ForeignKey("programs.hash"), index=True)
    created: Mapped[Created]
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    inspirations: Mapped[list["InspirationRow"]] = relationship(
        foreign_keys="InspirationRow.experiment_id", order_by="InspirationRow.position"
    )
    proposals: Mapped[list["ProposalRow"]] = relationship(
        foreign_keys="ProposalRow.experiment_id", order_by="ProposalRow.attempt"
    )
    program: Mapped[ProgramRow | None] = relationship()
    analysis: Mapped["AnalysisRow | None"] = relationship()
    judgement: Mapped["JudgementRow | None"] = relationship()
    traces: Mapped[list["TraceRow"]] = relationship(order_by="TraceRow.position")


class InspirationRow(Row):
    """A reference that was shown when an experiment was proposed."""

    __tablename__ = "inspirations"
    experiment_id: Mapped[ExperimentKey]
    position: Mapped[Key]
    reference_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)


class ExperimentProgramRow(Row):
    """Every program an experiment ever had; `attempt` counts proposals, `round` repairs."""

    __tablename__ = "experiment_programs"
    experiment_id: Mapped[ExperimentKey]
    attempt: Mapped[Key]
    round: Mapped[Key]
    program_hash: Mapped[str] = mapped_column(ForeignKey("programs.hash"), index=True)


class ProposalRow(Row):
    """An idea for an experiment; it was taken when `rejection` is NULL.

    `twin_id` is the experiment that a rejected one repeats, if that was the reason.
    """

    __tablename__ = "proposals"
    experiment_id: Mapped[ExperimentKey]
    attempt: Mapped[Key]
    name: Mapped[str]
    motivation: Mapped[str]
    choices: Mapped[dict[str, Any]]
    rejection: Mapped[str | None]
    twin_id: Mapped[int | None] = mapped_column(ForeignKey("experiments.id"))
    created: Mapped[Created]
    components: Mapped[list["ComponentRow"]] = relationship(order_by="ComponentRow.position")


class ComponentRow(Row):
    """One part of a proposal and where its idea comes from."""

    __tablename__ = "components"
    __table_args__ = (
        ForeignKeyConstraint(
            ["experiment_id", "attempt"], ["proposals.experiment_id", "proposals.attempt"]
        ),
    )
    experiment_id: Mapped[Key]
    attempt: Mapped[Key]
    position: Mapped[Key]
    name: Mapped[str]
    category: Mapped[str]
    origin: Mapped[str]
    citations: Mapped[list[Any]]
    description: Mapped[str]
    unsupported: Mapped[str] = mapped_column(server_default="")


class FindingRow(Row):
    """The outcome of one check of one repair round."""

    __tablename__ = "findings"
    experiment_id: Mapped[ExperimentKey]
    round: Mapped[Key]
    position: Mapped[Key]
    check_name: Mapped[str]
    passed: Mapped[bool]
    measured: Mapped[dict[str, Any]]
    timings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    evidence: Mapped[str]
    hint: Mapped[str]


class RunRow(Row):
    """One training; the measured columns are NULL when it failed before measuring them."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_stage", "stage"),)
    experiment_id: Mapped[ExperimentKey]
    stage: Mapped[TextKey]
    seed: Mapped[BigKey]
    status: Mapped[str]
    reason: Mapped[str]
    trace: Mapped[str] = mapped_column(server_default="")
    parameters: Mapped[BigOrNone]
    non_embedding: Mapped[BigOrNone]
    mlp_width: Mapped[int | None]
    tokens: Mapped[BigOrNone]
    flops_per_token: Mapped[Big] = mapped_column(server_default="0")
    learning_rate: Mapped[float] = mapped_column(server_default="0")
    sweep: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    micro_batch: Mapped[int] = mapped_column(server_default="0")
    compiled: Mapped[str] = mapped_column(server_default="no")
    device: Mapped[str] = mapped_column(server_default="")
    shares: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    loss: Mapped[float | None]
    loss_error: Mapped[float | None]
    seconds: Mapped[float | None]
    tokens_per_second: Mapped[float | None]
    memory_bytes: Mapped[BigOrNone]
    heldout: Mapped[list[Any] | None]
    documents: Mapped[list[Any]] = mapped_column(server_default="[]")
    created: Mapped[Created]
    metrics: Mapped[list["MetricRow"]] = relationship(order_by="MetricRow.position")
    scores: Mapped[list["ScoreRow"]] = relationship(order_by="ScoreRow.position")
    audit: Mapped["AuditRow | None"] = relationship()


def _of_run() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["experiment_id", "stage", "seed"], ["runs.experiment_id", "runs.stage", "runs.seed"]
    )


class MetricRow(Row):
    """One point of a training curve; a loss that is not finite is NULL."""

    __tablename__ = "metrics"
    __table_args__ = (_of_run(),)
    experiment_id: Mapped[Key]
    stage: Mapped[TextKey]
    seed: Mapped[BigKey]
    position: Mapped[Key]
    step: Mapped[int]
    tokens: Mapped[Big]
    loss: Mapped[float | None]


class ScoreRow(Row):
    """One measured number beside the loss; a value that is not finite is NULL."""

    __tablename__ = "scores"
    __table_args__ = (_of_run(), Index("ix_scores_benchmark_metric", "benchmark", "metric"))
    experiment_id: Mapped[Key]
    stage: Mapped[TextKey]
    seed: Mapped[BigKey]
    position: Mapped[Key]
    benchmark: Mapped[str]
    metric: Mapped[str]
    value: Mapped[float | None]
    error: Mapped[float | None]
    n: Mapped[int]


class AuditRow(Row):
    """Whether a run's weights give what it reported, without seeing what they may not."""

    __tablename__ = "audits"
    __table_args__ = (_of_run(),)
    experiment_id: Mapped[Key]
    stage: Mapped[TextKey]
    seed: Mapped[BigKey]
    reported: Mapped[float | None]
    recomputed: Mapped[float | None]
    loss_tolerance: Mapped[float | None]
    positions: Mapped[int]
    largest_change: Mapped[float | None]
    change_tolerance: Mapped[float | None]
    prefix_gain: Mapped[float | None]
    prefix_error: Mapped[float | None]
    flaw: Mapped[str]


class AnalysisRow(Row):
    """What an Analyst concluded."""

    __tablename__ = "analyses"
    experiment_id: Mapped[ExperimentKey]
    summary: Mapped[str]
    kept: Mapped[list[Any]]
    dropped: Mapped[list[Any]]


class JudgementRow(Row):
    """What an Analyst thought of a program before it was trained."""

    __tablename__ = "judgements"
    experiment_id: Mapped[ExperimentKey]
    score: Mapped[float]
    reason: Mapped[str]


class TraceRow(Row):
    """Where a component of the taken proposal comes from in the Analyst's eyes."""

    __tablename__ = "traces"
    experiment_id: Mapped[ExperimentKey]
    position: Mapped[Key]
    component: Mapped[str]
    origin: Mapped[str]
    citations: Mapped[list[Any]]
    reason: Mapped[str]


class LessonRow(Row):
    """What the experiments of a campaign numbered up to `up_to` teach together."""

    __tablename__ = "lessons"
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    up_to: Mapped[Key]
    position: Mapped[Key]
    text: Mapped[str]
    evidence: Mapped[list[Any]]


class CallRow(Row):
    """One question to a language model.

    `status` is `open` while it is on its way (its tokens are an estimate), `answered`, or `failed`
    with an `error`. `faults` is what went wrong before. An answered question is not asked again.
    """

    __tablename__ = "calls"
    id: Mapped[Key]
    request_key: Mapped[str] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(server_default="answered")
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    role: Mapped[str]
    task: Mapped[str]
    attempt: Mapped[int]
    model: Mapped[str]
    prompt: Mapped[list[Any]]
    reply: Mapped[str]
    error: Mapped[str] = mapped_column(server_default="")
    faults: Mapped[list[Any]] = mapped_column(server_default="[]")
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int] = mapped_column(server_default="0")
    completion_tokens: Mapped[int]
    cost: Mapped[float | None]
    seconds: Mapped[float | None]
    created: Mapped[Created]


class KnowledgeRow(Row):
    """One entry of the knowledge base."""

    __tablename__ = "knowledge"
    id: Mapped[TextKey]
    title: Mapped[str]
    authors: Mapped[str]
    year: Mapped[int]
    tags: Mapped[list[Any]]
    related: Mapped[list[Any]]
    text: Mapped[str]
    source: Mapped[str] = mapped_column(server_default="")


class EmbeddingRow(Row):
    """The text of a knowledge entry as a vector; `digest` is the SHA-256 of that text."""

    __tablename__ = "embeddings"
    model: Mapped[TextKey]
    entry_id: Mapped[TextKey]
    digest: Mapped[str]
    vector: Mapped[list[Any]]


class EventRow(Row):
    """Something that happened, for the log."""

    __tablename__ = "events"
    id: Mapped[Key]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    experiment_id: Mapped[int | None] = mapped_column(ForeignKey("experiments.id"))
    kind: Mapped[str]
    message: Mapped[str]
    created: Mapped[Created]
