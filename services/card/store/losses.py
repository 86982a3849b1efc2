"""Reports of losses, by whom and when; and what holders are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel import ids
from services.card.store.rows import NoticeRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.domain.lifecycle import Actor
    from services.card.store.rows import CardRow


async def add(tx: Transaction, card: CardRow, actor: Actor, *, formal: bool, report_ref: str) -> None:
    """Keep a report."""
    await tx.execute(
        """
        INSERT INTO loss_report (report_id, person_id, card_id, actor, formal, report_ref, business_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        ids.new_id(),
        card.person_id,
        card.card_id,
        actor,
        formal,
        report_ref,
        tx.today,
    )


async def count(tx: Transaction, person_id: UUID, actor: Actor, after: date) -> int:
    """How many losses of a person somebody reported after a day."""
    query = "SELECT count(*) FROM loss_report WHERE person_id = $1 AND business_date > $2 AND actor = $3"
    row = await tx.fetchrow(query, person_id, after, actor)
    return int(row[0]) if row else 0


async def notices(tx: Transaction, person_id: UUID, limit: int) -> Sequence[NoticeRow]:
    """What a holder was told, newest first."""
    query = select(NoticeRow).where(NoticeRow.person_id == person_id).order_by(col(NoticeRow.notice_id).desc())
    return (await tx.session.scalars(query.limit(limit))).all()
