"""Training runs with their curves and scores."""

import math
from collections.abc import Sequence

from sqlalchemy import case, delete, func, select
from sqlalchemy.orm import Session, joinedload, subqueryload

from asi_arch.errors import UserError
from asi_arch.records import Audit, JobError, Measurement, MetricPoint, Run, Score
from asi_arch.store.campaigns import find_campaign
from asi_arch.store.experiments import find_experiment
from asi_arch.store.records import EffortRow
from asi_arch.store.tables import AuditRow, ExperimentRow, MetricRow, RunRow, ScoreRow


def save_run(session: Session, experiment_id: int, measurement: Measurement) -> Run:
    """Record a training; one whose loss is not finite has failed. A run once saved stays.

    Of a dishonest one no loss and no score is kept that a query could mistake for a result.
    """
    known = _find(session, experiment_id, measurement.stage, measurement.seed)
    if known is not None:
        return _to_run(known)
    status, reason = _judge(measurement)
    if status == "dishonest":
        measurement = measurement.model_copy(update=_NOTHING)
    row = RunRow(
        experiment_id=experiment_id,
        status=status,
        reason=reason,
        audit=AuditRow(**measurement.audit.model_dump()) if measurement.audit else None,
        metrics=[
            MetricRow(position=position, **point.model_dump())
            for position, point in enumerate(measurement.curve)
        ],
        scores=[
            ScoreRow(position=position, **score.model_dump())
            for position, score in enumerate(measurement.scores)
        ],
        **measurement.model_dump(exclude={"curve", "scores", "audit"}),
    )
    return _add(session, row)


_NOTHING = {"loss": None, "loss_error": None, "heldout": (), "documents": (), "scores": ()}


def _judge(measurement: Measurement) -> tuple[str, str]:
    """Return status and reason of a run."""
    loss, audit = measurement.loss, measurement.audit
    if loss is not None and not math.isfinite(loss):
        return "failed", f"the held-out loss is {loss}"
    if audit is not None and audit.flaw:
        return "dishonest", audit.flaw
    return "complete", ""


def save_failed_run(
    session: Session, experiment_id: int, stage: str, seed: int, error: JobError
) -> Run:
    """Record why a training gave no measurement. A run once saved stays."""
    known = _find(session, experiment_id, stage, seed)
    if known is not None:
        return _to_run(known)
    row = RunRow(
        experiment_id=experiment_id,
        stage=stage,
        seed=seed,
        status="stopped" if error.kind == "stopped" else "failed",
        reason=error.message,
        trace=error.trace,
    )
    return _add(session, row)


def save_scores(
    session: Session, experiment_id: int, stage: str, seed: int, scores: Sequence[Score]
) -> None:
    """Add scores to a run; those of the same benchmark and metric are replaced."""
    row = _find(session, experiment_id, stage, seed)
    if row is None:
        raise UserError(f"experiment {experiment_id} has no run at {stage} with seed {seed}")
    new = {(score.benchmark, score.metric) for score in scores}
    kept = [_to_score(one) for one in row.scores if (one.benchmark, one.metric) not in new]
    session.execute(delete(ScoreRow).filter_by(experiment_id=experiment_id, stage=stage, seed=seed))
    session.expire(row)
    session.add_all(
        ScoreRow(
            experiment_id=experiment_id,
            stage=stage,
            seed=seed,
            position=position,
            **score.model_dump(),
        )
        for position, score in enumerate([*kept, *scores])
    )


def discard_runs(session: Session, experiment_id: int) -> None:
    """Forget the trainings of a program that is to be repaired."""
    find_experiment(session, experiment_id)
    for row_type in (MetricRow, ScoreRow, AuditRow, RunRow):
        session.execute(delete(row_type).filter_by(experiment_id=experiment_id))


def list_runs(
    session: Session, campaign_id: int, stage: str | None, experiment_id: int | None
) -> list[Run]:
    """Return the runs of a campaign by experiment, stage and seed."""
    find_campaign(session, campaign_id)
    rows = select(RunRow).join(ExperimentRow).where(ExperimentRow.campaign_id == campaign_id)
    if stage is not None:
        rows = rows.where(RunRow.stage == stage)
    if experiment_id is not None:
        rows = rows.where(RunRow.experiment_id == experiment_id)
    rows = rows.order_by(RunRow.experiment_id, RunRow.stage, RunRow.seed)
    # SQLite scans the whole table for a list of keys of several columns, as selectinload asks.
    rows = rows.options(subqueryload(RunRow.metrics), subqueryload(RunRow.scores))
    rows = rows.options(joinedload(RunRow.audit))
    return [_to_run(row) for row in session.scalars(rows)]


def list_losses(session: Session, campaign_id: int, stage: str) -> dict[int, dict[int, float]]:
    """Return {experiment id: {seed: held-out loss}} of the runs that gave one."""
    rows = (
        select(RunRow.experiment_id, RunRow.seed, RunRow.loss)
        .join(ExperimentRow)
        .where(ExperimentRow.campaign_id == campaign_id, RunRow.stage == stage)
        .where(RunRow.status == "complete", RunRow.loss.is_not(None))
        .order_by(RunRow.experiment_id, RunRow.seed)
    )
    found: dict[int, dict[int, float]] = {}
    for experiment_id, seed, loss in session.execute(rows):
        found.setdefault(experiment_id, {})[seed] = _number(loss)
    return found


def list_heldout(
    session: Session, campaign_id: int, stage: str
) -> dict[int, dict[int, tuple[float, ...]]]:
    """Return {experiment id: {seed: losses of the held-out windows}}; the mean where only it is."""
    rows = (
        select(RunRow.experiment_id, RunRow.seed, RunRow.loss, RunRow.heldout)
        .join(ExperimentRow)
        .where(ExperimentRow.campaign_id == campaign_id, RunRow.stage == stage)
        .where(RunRow.status == "complete", RunRow.loss.is_not(None))
        .order_by(RunRow.experiment_id, RunRow.seed)
    )
    found: dict[int, dict[int, tuple[float, ...]]] = {}
    for experiment_id, seed, loss, heldout in session.execute(rows):
        found.setdefault(experiment_id, {})[seed] = tuple(heldout or (loss,))
    return found


def list_documents(session: Session, campaign_id: int, stage: str) -> tuple[int, ...] | None:
    """Return the document of each held-out window of a stage, None where there are not two."""
    row = session.scalar(
        select(RunRow)
        .join(ExperimentRow)
        .where(ExperimentRow.campaign_id == campaign_id, RunRow.stage == stage)
        .where(RunRow.status == "complete")
        .order_by(RunRow.experiment_id, RunRow.seed)
    )
    documents = tuple(row.documents) if row is not None else ()
    return documents if len(set(documents)) > 1 else None


def list_efforts(session: Session, campaign_id: int) -> list[EffortRow]:
    """Return what the runs of each stage took, by device."""
    find_campaign(session, campaign_id)
    sums = (
        select(
            RunRow.stage,
            RunRow.device,
            func.count(),
            func.sum(case((RunRow.status == "complete", 0), else_=1)),
            func.coalesce(func.sum(RunRow.tokens), 0),
            func.coalesce(func.sum(RunRow.seconds), 0.0),
            func.min(RunRow.parameters),
            func.max(RunRow.parameters),
        )
        .join(ExperimentRow)
        .where(ExperimentRow.campaign_id == campaign_id)
        .group_by(RunRow.stage, RunRow.device)
        .order_by(RunRow.stage, RunRow.device)
    )
    names = EffortRow.model_fields
    return [
        EffortRow.model_validate(dict(zip(names, row, strict=True)))
        for row in session.execute(sums)
    ]


def _find(session: Session, experiment_id: int, stage: str, seed: int) -> RunRow | None:
    find_experiment(session, experiment_id)
    return session.get(RunRow, (experiment_id, stage, seed))


def _add(session: Session, row: RunRow) -> Run:
    session.add(row)
    session.flush()
    session.refresh(row)
    return _to_run(row)


def _to_run(row: RunRow) -> Run:
    return Run(
        experiment_id=row.experiment_id,
        stage=row.stage,
        seed=row.seed,
        status=row.status,
        reason=row.reason,
        trace=row.trace,
        measurement=None if row.status in ("failed", "stopped") else _to_measurement(row),
    )


def _to_measurement(row: RunRow) -> Measurement:
    return Measurement.model_validate(
        {
            **{name: getattr(row, name) for name in _PLAIN},
            **{name: _number(getattr(row, name)) for name in _NUMBERS},
            "curve": [
                MetricPoint(step=point.step, tokens=point.tokens, loss=_number(point.loss))
                for point in row.metrics
            ],
            "scores": [_to_score(score) for score in row.scores],
            "audit": _to_audit(row.audit) if row.audit else None,
        }
    )


_NUMBERS = ("seconds", "tokens_per_second")
_PLAIN = Measurement.model_fields.keys() - {*_NUMBERS, "curve", "scores", "audit"}


def _to_audit(row: AuditRow) -> Audit:
    counted = {"positions": row.positions, "flaw": row.flaw}
    numbers = Audit.model_fields.keys() - counted.keys()
    return Audit(**counted, **{name: _number(getattr(row, name)) for name in numbers})


def _to_score(row: ScoreRow) -> Score:
    return Score(
        benchmark=row.benchmark,
        metric=row.metric,
        value=_number(row.value),
        error=row.error,
        n=row.n,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
