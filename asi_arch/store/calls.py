"""What language models were asked and answered."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from asi_arch.records import Message, Reply, Request
from asi_arch.store.campaigns import find_campaign
from asi_arch.store.experiments import find_experiment
from asi_arch.store.records import CallRecord, Spend
from asi_arch.store.tables import CallRow, ExperimentRow


def find_reply(session: Session, request: Request) -> Reply | None:
    """Return the stored answer to this very question."""
    row = _find(session, request.key)
    if row is None:
        return None
    return Reply(
        text=row.reply,
        model=row.model,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost=row.cost,
        seconds=row.seconds or 0.0,
    )


def save_reply(session: Session, request: Request, reply: Reply) -> None:
    """Store an answer; a question that has one keeps it."""
    if _find(session, request.key) is not None:
        return
    find_experiment(session, request.experiment_id)
    session.add(
        CallRow(
            request_key=request.key,
            experiment_id=request.experiment_id,
            role=request.role,
            task=request.task,
            attempt=request.attempt,
            model=reply.model or request.settings.model,
            prompt=[message.model_dump() for message in request.messages],
            reply=reply.text,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost=reply.cost,
            seconds=reply.seconds,
        )
    )


def _find(session: Session, key: str) -> CallRow | None:
    return session.scalars(select(CallRow).filter_by(request_key=key)).one_or_none()


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
        model=row.model,
        messages=tuple(Message.model_validate(message) for message in row.prompt),
        reply=row.reply,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost=row.cost,
        seconds=row.seconds or 0.0,
        created=row.created.isoformat(),
    )


def total_spend(session: Session, campaign_id: int) -> Spend:
    """Return what a campaign's language models have used."""
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
