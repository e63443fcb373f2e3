"""What language models were asked and answered."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from asi_arch.records import Message, Reply, Request
from asi_arch.store.campaigns import find_campaign
from asi_arch.store.experiments import find_experiment
from asi_arch.store.records import CallRecord, Spend
from asi_arch.store.tables import CallRow, ExperimentRow

_LOST = "interrupted; its reply, if one was on its way, is lost"


def find_reply(session: Session, request: Request) -> Reply | None:
    """Return the stored answer to this very question."""
    row = _find(session, request.key, "answered")
    if row is None:
        return None
    return Reply(
        text=row.reply,
        model=row.model,
        prompt_tokens=row.prompt_tokens,
        cached_tokens=row.cached_tokens,
        completion_tokens=row.completion_tokens,
        cost=row.cost,
        seconds=row.seconds or 0.0,
        faults=tuple(row.faults),
    )


def open_call(session: Session, request: Request, tokens: int, cost: float | None) -> None:
    """Note that a question is on its way, with what it may cost at most."""
    find_experiment(session, request.experiment_id)
    session.add(
        CallRow(
            request_key=request.key,
            status="open",
            experiment_id=request.experiment_id,
            role=request.role,
            task=request.task,
            attempt=request.attempt,
            model=request.settings.model,
            prompt=[message.model_dump() for message in request.messages],
            reply="",
            prompt_tokens=request.estimated_tokens,
            completion_tokens=tokens - request.estimated_tokens,
            cost=cost,
            seconds=0.0,
        )
    )


def end_lost_calls(session: Session, campaign_id: int) -> None:
    """Count what was on its way when its process ended as failed: its prompt may have been paid."""
    own = select(ExperimentRow.id).where(ExperimentRow.campaign_id == campaign_id)
    lost = select(CallRow).where(CallRow.status == "open", CallRow.experiment_id.in_(own))
    for row in session.scalars(lost):
        row.status, row.error, row.completion_tokens = "failed", _LOST, 0


def save_reply(session: Session, request: Request, reply: Reply) -> None:
    """Store an answer; a question that has one keeps it."""
    if _find(session, request.key, "answered") is not None:
        return
    row = _end(session, request, "answered", reply.faults)
    row.model = reply.model or request.settings.model
    row.reply = reply.text
    row.prompt_tokens = reply.prompt_tokens
    row.cached_tokens = reply.cached_tokens
    row.completion_tokens = reply.completion_tokens
    row.cost, row.seconds = reply.cost, reply.seconds


def save_failure(session: Session, request: Request, error: str, faults: Sequence[str]) -> None:
    """Store why a question has no answer."""
    row = _end(session, request, "failed", faults)
    row.error, row.prompt_tokens, row.completion_tokens, row.cost = error, 0, 0, None


def _end(session: Session, request: Request, status: str, faults: Sequence[str]) -> CallRow:
    """Return the row of a question that is no longer on its way."""
    row = _find(session, request.key, "open")
    if row is None:
        open_call(session, request, request.estimated_tokens, None)
        return _end(session, request, status, faults)
    row.status, row.faults = status, list(faults)
    return row


def _find(session: Session, key: str, status: str) -> CallRow | None:
    rows = select(CallRow).filter_by(request_key=key, status=status)
    return session.scalars(rows).one_or_none()


def list_calls(session: Session, campaign_id: int, experiment_id: int | None) -> list[CallRecord]:
    """Return the calls of a campaign, or of one experiment, in the order they were answered."""
    find_campaign(session, campaign_id)
    rows = select(CallRow).join(ExperimentRow).where(ExperimentRow.campaign_id == campaign_id)
    if experiment_id is not None:
        rows = rows.where(CallRow.experiment_id == experiment_id)
    return [_to_call(row) for row in session.scalars(rows.order_by(CallRow.id))]


def _to_call(row: CallRow) -> CallRecord:
    return CallRecord(
        id=row.id,
        experiment_id=row.experiment_id,
        key=row.request_key,
        role=row.role,
        task=row.task,
        attempt=row.attempt,
        status=row.status,
        model=row.model,
        messages=tuple(Message.model_validate(message) for message in row.prompt),
        reply=row.reply,
        error=row.error,
        faults=tuple(row.faults),
        prompt_tokens=row.prompt_tokens,
        cached_tokens=row.cached_tokens,
        completion_tokens=row.completion_tokens,
        cost=row.cost,
        seconds=row.seconds or 0.0,
        created=row.created.isoformat(),
    )


def total_spend(session: Session, campaign_id: int) -> Spend:
    """Return what a campaign's language models have used; what is on its way counts as used."""
    sums = (
        select(
            func.coalesce(func.sum(CallRow.prompt_tokens + CallRow.completion_tokens), 0),
            func.coalesce(func.sum(CallRow.cost), 0.0),
        )
        .join(ExperimentRow)
        .where(ExperimentRow.campaign_id == campaign_id)
    )
    tokens, cost = session.execute(sums).one()
    return Spend(tokens=tokens, cost=cost)
