"""Losses (挂失): temporary and formal, by holder, counter, hotline and physical card; lifting, and replacement.

Reporting is easy on purpose, for it fails on the safe side; so the hotline is held to a number in so many days, the
holder is told whoever reported, and only face or counter lift. What is formally lost comes never back.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import Refused
from services.card.domain.lifecycle import Actor, CardEvent
from services.card.operations import holders, issuing, life
from services.card.store import cards, losses
from services.card.store import holders as holder_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import ReportByHotline
    from services.card.operations.office import Office
    from services.card.results import ShownCard
    from services.card.store.rows import CardRow, HolderRow, NoticeRow

NOTICES = 50


async def report(tx: Transaction, card_id: UUID, office: Office) -> ShownCard:
    """Suspend a card until the loss is lifted.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_STEP_REFUSED.
    """
    card = await life.load(tx, card_id, lock=True)
    actor = life.acting(tx, card)
    life.change(tx, card, CardEvent.SUSPEND, actor)
    await note(tx, card, actor, formal=False)
    return await life.shown(tx, card, office)


async def report_by_hotline(tx: Transaction, command: ReportByHotline, office: Office) -> CardRow:
    """Suspend the card of somebody who calls 12333; so many times in so many days, after that at the counter.

    Raises:
        NotFound: CARD_NOT_FOUND, also for a number that nobody has.
        Refused: CARD_STEP_REFUSED, LOSS_REPORTS_LIMIT_REACHED.
    """
    holder = await holder_rows.lock_by_number(tx, command.id_no)
    card = await cards.live(tx, holder.person_id) if holder is not None else None
    if card is None:
        raise life.not_found()
    limit, days = office.policy.hotline_reports.on(tx.today).value, office.policy.hotline_days.on(tx.today).value
    if await losses.count(tx, card.person_id, Actor.HOTLINE, tx.today - timedelta(days=days)) >= limit:
        raise Refused(
            "LOSS_REPORTS_LIMIT_REACHED",
            "the hotline reported this person's card often",
            limit=str(limit),
            days=str(days),
        )
    life.change(tx, card, CardEvent.SUSPEND, Actor.HOTLINE)
    await note(tx, card, Actor.HOTLINE, formal=False, report_ref=command.call_ref)
    return card


async def report_formally(tx: Transaction, card_id: UUID, office: Office) -> ShownCard:
    """Suspend a card for good at the counter (正式挂失): it can be replaced or cancelled.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_STEP_REFUSED.
    """
    card = await life.load(tx, card_id, lock=True)
    life.change(tx, card, CardEvent.SUSPEND_FORMALLY, Actor.COUNTER)
    await note(tx, card, Actor.COUNTER, formal=True)
    return await life.shown(tx, card, office)


async def lift(tx: Transaction, card_id: UUID, office: Office) -> ShownCard:
    """Let a suspended card stand where it stood before, unless the physical card cannot be used.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_STEP_REFUSED, CARD_NOT_USABLE.
    """
    card = await life.load(tx, card_id, lock=True)
    life.require_usable(tx, card, await holders.known(tx, card.person_id), office)
    life.change(tx, card, CardEvent.RESUME, life.acting(tx, card))
    return await life.shown(tx, card, office)


async def replace(tx: Transaction, card_id: UUID, office: Office) -> ShownCard:
    """Put another card in the place of one that was formally lost (补换): new number, new reference, new places.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_STEP_REFUSED, CARD_NOT_USABLE.
    """
    found = await life.load(tx, card_id)
    holder = await holders.locked(tx, found.person_id)
    card = await life.load(tx, card_id, lock=True)
    life.require_usable(tx, card, holder, office)
    return await life.shown(tx, await put_another(tx, card, holder, Actor.COUNTER, office), office)


async def put_another(tx: Transaction, card: CardRow, holder: HolderRow, actor: Actor, office: Office) -> CardRow:
    """End a card that was formally lost and issue another one; the holder is locked.

    Raises:
        Refused: CARD_STEP_REFUSED.
    """
    card.replaced_by = ids.new_id()
    life.change(tx, card, CardEvent.REPLACE, actor)
    await tx.session.flush()  # the old one leaves the index of live cards first
    return await issuing.issue_at_once(tx, holder, actor, office, card.replaced_by)


async def note(tx: Transaction, card: CardRow, actor: Actor, *, formal: bool, report_ref: str = "") -> None:
    """Keep that somebody reported a loss."""
    await losses.add(tx, card, actor, formal=formal, report_ref=report_ref)


async def notices(tx: Transaction, person_id: UUID) -> Sequence[NoticeRow]:
    """What a holder was told about the card, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    return await losses.notices(tx, person_id, NOTICES)
