"""What enrollment announced takes effect: rows of our own, and benefits that end because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.benefits.entitlement import End, end_by_work
from services.benefits.history import Scheme
from services.benefits.lifecycle import AFTER_DEATH, ONE_OFF, EndReason, Kind
from services.benefits.operations import keeping_reopening
from services.benefits.operations.ending import end_earlier, end_early
from services.benefits.store import decisions, keeping_certified, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.heard import (
        BroughtInYear,
        EndedParticipation,
        HeardCredit,
        HeardPerson,
        LeftRelation,
        SettledAccount,
        SettledItem,
        StartedParticipation,
    )


async def note_persons(tx: Transaction, persons: Sequence[HeardPerson]) -> None:
    """Persons were registered."""
    await register.save_persons(tx, persons)


async def note_deaths(tx: Transaction, deaths: Sequence[tuple[UUID, Month | None]]) -> None:
    """Deaths: benefits end with the month of death, also those of pensioners, who have no participation to end.

    One that is taken back or corrected lets what it ended go on, or ends it earlier.
    """
    last = dict(deaths)
    await register.save_deaths(tx, last)
    await register.lock_persons(tx, last)
    known = {one: month for person_id, month in last.items() for one in await register.same(tx, person_id)}
    await keeping_reopening.correct_deaths(tx, known)
    died = {person_id: month for person_id, month in last.items() if month is not None}
    await _end_by_death(tx, died)


async def note_merged(tx: Transaction, mergers: Sequence[tuple[UUID, UUID]]) -> None:
    """Records went up in others: from now on all that is known under either id counts for one person."""
    await register.save_merged(tx, dict(mergers))
    await keeping_certified.join_standing(tx, dict(mergers))


async def note_unmerged(tx: Transaction, person_ids: Sequence[UUID]) -> None:
    """Records stand by themselves again."""
    await register.remove_merged(tx, person_ids)


async def note_started(tx: Transaction, started: Sequence[StartedParticipation]) -> None:
    """Participations started: who works again (重新就业) draws no unemployment benefit any more.

    Work means an employment with unemployment insurance; a flexible worker insures the pension only and may go on
    drawing. The persons are locked first, so that no benefit starts between the look and the commit.
    """
    if started:
        await register.save_started(tx, started)
    working = [one for one in started if one.scheme is Scheme.UNEMPLOYMENT]
    if not working:
        return
    await register.lock_persons(tx, {one.person_id for one in working})
    drawn = await decisions.lock_all(tx, {one.person_id for one in working}, Kind.UNEMPLOYMENT)
    ends = [
        (benefit, end_by_work(benefit.first_month, benefit.event_month, one.start_month))
        for benefit in drawn
        for one in sorted(working, key=lambda one: one.start_month)
        if one.person_id == benefit.person_id
    ]
    await end_early(tx, ends)
    await end_earlier(tx, ends)


async def note_ended(tx: Transaction, ended: Sequence[EndedParticipation]) -> None:
    """Participations ended. Only a death ends benefits here; a retirement ends the participation, nothing of ours."""
    await register.save_ended(tx, ended)
    died = {one.person_id: one.end_month for one in ended if one.reason == EndReason.DIED}
    await _end_by_death(tx, died)


async def _end_by_death(tx: Transaction, died: dict[UUID, Month]) -> None:
    if not died:
        return
    await register.lock_persons(tx, died)
    # A pension is paid up to and including the month of death; so is the unemployment benefit.
    months = {one: month for person_id, month in died.items() for one in await register.same(tx, person_id)}
    ends = [
        (benefit, End(max(months[benefit.person_id], benefit.first_month.previous), EndReason.DIED))
        for benefit in await decisions.lock_running(tx, months)
        if benefit.kind not in AFTER_DEATH | ONE_OFF  # a grant was earned before it was determined
    ]
    await end_early(tx, ends)


async def note_contributions(tx: Transaction, items: Sequence[SettledItem]) -> None:
    """Months of contributions were settled."""
    if items:
        await register.save_settled(tx, items)


async def note_history(tx: Transaction, years: Sequence[BroughtInYear]) -> None:
    """Years of contributions were brought in."""
    if years:
        await register.save_years(tx, years)


async def note_left(tx: Transaction, left: Sequence[LeftRelation]) -> None:
    """Pension relations left: a benefit that runs keeps what was decided; nothing new is decided on these months."""
    if left:
        await register.forget_months(tx, left)


async def note_credits(tx: Transaction, credits_: Sequence[HeardCredit]) -> None:
    """Amounts were credited to personal accounts."""
    await register.save_credits(tx, credits_)


async def note_settlements(tx: Transaction, settled: Sequence[SettledAccount]) -> None:
    """Personal accounts were settled at retirement."""
    await register.save_settlements(tx, settled)
