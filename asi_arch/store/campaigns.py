"""Campaigns and their events."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from asi_arch.errors import UserError
from asi_arch.records import Campaign, Conclusion
from asi_arch.store.records import EventRecord
from asi_arch.store.tables import CampaignRow, EventRow


def create_campaign(
    session: Session, name: str, seed: int, config: dict[str, Any], folder: str
) -> Campaign:
    """Add a running campaign."""
    row = CampaignRow(name=name, seed=seed, status="running", config=config, folder=folder)
    session.add(row)
    session.flush()
    session.refresh(row)
    return to_campaign(row)


def find_campaign(session: Session, campaign_id: int | None) -> CampaignRow:
    """Return the row of a campaign; of the latest for None.

    Raises:
        UserError: there is no such campaign.
    """
    if campaign_id is None:
        row = session.scalars(select(CampaignRow).order_by(CampaignRow.id.desc())).first()
    else:
        row = session.get(CampaignRow, campaign_id)
    if row is None:
        raise UserError(_unknown(session, campaign_id))
    return row


def _unknown(session: Session, campaign_id: int | None) -> str:
    ids = session.scalars(select(CampaignRow.id).order_by(CampaignRow.id)).all()
    if not ids:
        return "the database has no campaign yet; start one with: asi-arch run"
    return f"there is no campaign {campaign_id}; choose one of: {', '.join(map(str, ids))}"


def get_campaign(session: Session, campaign_id: int | None) -> Campaign:
    """Return a campaign; the latest for None."""
    return to_campaign(find_campaign(session, campaign_id))


def list_campaigns(session: Session) -> list[Campaign]:
    """Return all campaigns, oldest first."""
    return [to_campaign(row) for row in session.scalars(select(CampaignRow).order_by("id"))]


def set_campaign_status(session: Session, campaign_id: int, status: str, reason: str) -> None:
    """Record whether a campaign runs, and why it stopped."""
    row = find_campaign(session, campaign_id)
    row.status, row.reason = status, reason


def set_campaign_config(session: Session, campaign_id: int, config: dict[str, Any]) -> None:
    """Replace the configuration of a campaign."""
    find_campaign(session, campaign_id).config = config


def add_seconds(session: Session, campaign_id: int, seconds: float) -> None:
    """Add wall time to what a campaign has used."""
    find_campaign(session, campaign_id).seconds += seconds


def save_conclusion(session: Session, campaign_id: int, conclusion: Conclusion) -> None:
    """Record how a campaign ended."""
    find_campaign(session, campaign_id).conclusion = conclusion.model_dump()


def log_event(
    session: Session, campaign_id: int, experiment_id: int | None, kind: str, message: str
) -> None:
    """Add a line to the log of a campaign."""
    session.add(
        EventRow(campaign_id=campaign_id, experiment_id=experiment_id, kind=kind, message=message)
    )


def list_events(session: Session, campaign_id: int, limit: int | None) -> list[EventRecord]:
    """Return the last `limit` events (all for None), oldest first."""
    find_campaign(session, campaign_id)
    newest = select(EventRow).where(EventRow.campaign_id == campaign_id)
    rows = session.scalars(newest.order_by(EventRow.id.desc()).limit(limit)).all()
    return [_to_event(row) for row in reversed(rows)]


def _to_event(row: EventRow) -> EventRecord:
    return EventRecord(
        id=row.id,
        campaign_id=row.campaign_id,
        experiment_id=row.experiment_id,
        kind=row.kind,
        message=row.message,
        created=row.created.isoformat(),
    )


def to_campaign(row: CampaignRow) -> Campaign:
    """Return the record of a row."""
    return Campaign(
        id=row.id,
        name=row.name,
        seed=row.seed,
        status=row.status,
        reason=row.reason,
        config=row.config,
        folder=row.folder,
        seconds=row.seconds,
        conclusion=row.conclusion and Conclusion.model_validate(row.conclusion),
        created=row.created.isoformat(),
    )
