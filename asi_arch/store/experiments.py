"""Experiments: how they start, where they stand, how they end."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, selectinload

from asi_arch.errors import UserError
from asi_arch.records import (
    Analysis,
    Component,
    Experiment,
    Judgement,
    Origin,
    Outcome,
    Program,
    Proposal,
    Status,
    Trace,
)
from asi_arch.store.campaigns import find_campaign
from asi_arch.store.tables import (
    AnalysisRow,
    ExperimentRow,
    InspirationRow,
    JudgementRow,
    ProposalRow,
    TraceRow,
)

_EVERYTHING = (
    selectinload(ExperimentRow.inspirations),
    selectinload(ExperimentRow.proposals).selectinload(ProposalRow.components),
    selectinload(ExperimentRow.program),
    selectinload(ExperimentRow.analysis),
    selectinload(ExperimentRow.judgement),
    selectinload(ExperimentRow.traces),
)


def start_experiment(
    session: Session,
    campaign_id: int,
    number: int,
    kind: str,
    parent_id: int | None,
    reference_ids: Sequence[int],
    name: str,
    id: int | None,
) -> Experiment:
    """Return the experiment of this kind and number, added with this ancestry if it is new."""
    find_campaign(session, campaign_id)
    known = select(ExperimentRow).filter_by(campaign_id=campaign_id, kind=kind, number=number)
    row = session.scalars(known).one_or_none()
    if row is None:
        row = ExperimentRow(
            id=id,
            campaign_id=campaign_id,
            number=number,
            kind=kind,
            parent_id=parent_id,
            name=name,
            status=Status.SAMPLED,
            inspirations=_inspirations(reference_ids),
        )
        session.add(row)
    return saved(session, row)


def _inspirations(reference_ids: Sequence[int]) -> list[InspirationRow]:
    return [
        InspirationRow(position=position, reference_id=reference)
        for position, reference in enumerate(reference_ids)
    ]


def change_parent(
    session: Session, experiment_id: int, parent_id: int, reference_ids: Sequence[int]
) -> Experiment:
    """Start an experiment that waits for a proposal from another parent."""
    row = find_experiment(session, experiment_id)
    session.execute(delete(InspirationRow).filter_by(experiment_id=experiment_id))
    session.expire(row, ["inspirations"])
    row.parent_id, row.inspirations = parent_id, _inspirations(reference_ids)
    return saved(session, row)


def find_experiment(session: Session, experiment_id: int) -> ExperimentRow:
    """Return the row of an experiment.

    Raises:
        UserError: there is no such experiment.
    """
    row = session.get(ExperimentRow, experiment_id)
    if row is None:
        raise UserError(_unknown(session, experiment_id))
    return row


def _unknown(session: Session, experiment_id: int) -> str:
    first, last = session.execute(
        select(func.min(ExperimentRow.id), func.max(ExperimentRow.id))
    ).one()
    known = "there are none yet" if first is None else f"the ids go from {first} to {last}"
    return f"there is no experiment {experiment_id}; {known}"


def get_experiment(session: Session, experiment_id: int) -> Experiment:
    """Return an experiment."""
    return to_experiment(find_experiment(session, experiment_id))


def list_experiments(session: Session, campaign_id: int, kind: str | None) -> list[Experiment]:
    """Return the experiments of a campaign, of one kind or all, by kind and number."""
    find_campaign(session, campaign_id)
    rows = select(ExperimentRow).where(ExperimentRow.campaign_id == campaign_id)
    if kind is not None:
        rows = rows.where(ExperimentRow.kind == kind)
    rows = rows.order_by(ExperimentRow.kind, ExperimentRow.number).options(*_EVERYTHING)
    return [to_experiment(row) for row in session.scalars(rows)]


def list_outcomes(session: Session, campaign_id: int, up_to: int) -> list[Outcome]:
    """Return complete baselines and finished candidates with a number up to `up_to`."""
    finished = [status for status in Status if status.is_finished]
    rows = (
        select(ExperimentRow)
        .where(ExperimentRow.campaign_id == campaign_id)
        .where(
            ((ExperimentRow.kind == "baseline") & (ExperimentRow.status == Status.COMPLETE))
            | (
                (ExperimentRow.kind == "candidate")
                & (ExperimentRow.number <= up_to)
                & ExperimentRow.status.in_(finished)
            )
        )
        .order_by(ExperimentRow.kind, ExperimentRow.number)
        .options(selectinload(ExperimentRow.proposals), selectinload(ExperimentRow.judgement))
    )
    return [_to_outcome(row) for row in session.scalars(rows)]


def set_status(session: Session, experiment_id: int, status: Status) -> Experiment:
    """Record how far an experiment has come."""
    row = find_experiment(session, experiment_id)
    row.status = status
    return saved(session, row)


def save_analysis(session: Session, experiment_id: int, analysis: Analysis) -> Experiment:
    """Record what the Analyst concluded, in place of an earlier conclusion."""
    row = find_experiment(session, experiment_id)
    session.merge(
        AnalysisRow(
            experiment_id=experiment_id,
            summary=analysis.summary,
            kept=list(analysis.keep),
            dropped=list(analysis.drop),
        )
    )
    return saved(session, row)


def save_judgement(session: Session, experiment_id: int, judgement: Judgement) -> Experiment:
    """Record an opinion, in place of an earlier one."""
    row = find_experiment(session, experiment_id)
    session.merge(JudgementRow(experiment_id=experiment_id, **judgement.model_dump()))
    return saved(session, row)


def save_traces(session: Session, experiment_id: int, traces: Sequence[Trace]) -> Experiment:
    """Record where the parts of the proposal come from, in place of earlier traces."""
    row = find_experiment(session, experiment_id)
    session.execute(delete(TraceRow).filter_by(experiment_id=experiment_id))
    for position, trace in enumerate(traces):
        fields = trace.model_dump(mode="json")
        session.add(TraceRow(experiment_id=experiment_id, position=position, **fields))
    return saved(session, row)


def finish_experiment(
    session: Session, experiment_id: int, status: Status, fitness: float | None, reason: str
) -> Experiment:
    """Record how an experiment ended."""
    row = find_experiment(session, experiment_id)
    row.status, row.fitness, row.reason = status, fitness, reason
    return saved(session, row)


def saved(session: Session, row: ExperimentRow) -> Experiment:
    """Write what is pending and return the experiment as the database now has it."""
    session.flush()
    session.refresh(row)
    return to_experiment(row)


def taken_proposal(row: ExperimentRow) -> ProposalRow | None:
    """Return the latest proposal unless it was rejected."""
    last = row.proposals[-1] if row.proposals else None
    return last if last and last.rejection is None else None


def to_experiment(row: ExperimentRow) -> Experiment:
    """Return the record of a row."""
    proposal = taken_proposal(row)
    return Experiment(
        id=row.id,
        campaign_id=row.campaign_id,
        number=row.number,
        kind=row.kind,
        status=Status(row.status),
        parent_id=row.parent_id,
        reference_ids=tuple(shown.reference_id for shown in row.inspirations),
        name=row.name,
        round=row.round,
        fitness=row.fitness,
        reason=row.reason,
        rejections=tuple(p.rejection for p in row.proposals if p.rejection is not None),
        twin_ids=tuple(p.twin_id for p in row.proposals if p.twin_id is not None),
        proposal=to_proposal(proposal) if proposal else None,
        program=Program(source=row.program.source) if row.program else None,
        analysis=_to_analysis(row.analysis) if row.analysis else None,
        judgement=_to_judgement(row.judgement) if row.judgement else None,
        traces=tuple(_to_trace(trace) for trace in row.traces),
    )


def to_proposal(row: ProposalRow) -> Proposal:
    """Return the record of a row."""
    return Proposal(
        name=row.name,
        motivation=row.motivation,
        choices=row.choices,
        components=tuple(
            Component(
                name=part.name,
                category=part.category,
                origin=part.origin,
                citations=tuple(part.citations),
                description=part.description,
                unsupported=part.unsupported,
            )
            for part in row.components
        ),
    )


def _to_analysis(row: AnalysisRow) -> Analysis:
    return Analysis(summary=row.summary, keep=tuple(row.kept), drop=tuple(row.dropped))


def _to_judgement(row: JudgementRow) -> Judgement:
    return Judgement(score=row.score, reason=row.reason)


def _to_trace(row: TraceRow) -> Trace:
    return Trace(
        component=row.component,
        origin=Origin(row.origin),
        citations=tuple(row.citations),
        reason=row.reason,
    )


def _to_outcome(row: ExperimentRow) -> Outcome:
    """Return the record of a row; a repaired program is not what was proposed."""
    proposal = taken_proposal(row)
    return Outcome(
        experiment_id=row.id,
        number=row.number,
        kind=row.kind,
        parent_id=row.parent_id,
        status=Status(row.status),
        fitness=row.fitness,
        choices=proposal.choices if proposal and row.round == 0 else {},
        name=row.name,
        judged=row.judgement.score if row.judgement else None,
    )
