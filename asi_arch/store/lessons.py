"""Lessons: what the experiments of a campaign teach together."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from asi_arch.records import Lesson
from asi_arch.store.campaigns import find_campaign
from asi_arch.store.tables import LessonRow


def save_lessons(session: Session, campaign_id: int, up_to: int, lessons: Sequence[Lesson]) -> None:
    """Keep what the experiments numbered up to `up_to` teach, in place of earlier lessons."""
    find_campaign(session, campaign_id)
    session.execute(delete(LessonRow).filter_by(campaign_id=campaign_id, up_to=up_to))
    for position, lesson in enumerate(lessons):
        session.add(
            LessonRow(
                campaign_id=campaign_id,
                up_to=up_to,
                position=position,
                **lesson.model_dump(mode="json"),
            )
        )


def list_lessons(session: Session, campaign_id: int, up_to: int) -> list[Lesson]:
    """Return what the experiments numbered up to `up_to` teach."""
    rows = select(LessonRow).filter_by(campaign_id=campaign_id, up_to=up_to)
    return [
        Lesson(text=row.text, evidence=tuple(row.evidence))
        for row in session.scalars(rows.order_by(LessonRow.position))
    ]


def lessons_drawn(session: Session, campaign_id: int) -> int:
    """Return up to which experiment the latest lessons were drawn, 0 when there are none."""
    find_campaign(session, campaign_id)
    latest = select(func.max(LessonRow.up_to)).where(LessonRow.campaign_id == campaign_id)
    return session.scalar(latest) or 0
