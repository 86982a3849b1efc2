"""A death that was recorded wrongly: what it ended goes on, and months that were held for it are paid after all.

A death that is taken back lets each benefit go on as it was determined; one that is corrected to a later month lets it
run to that month, one to an earlier month ends it earlier. Payments that had left unreleased payrolls come with the
next one, what the bank had sent back is owed again, and recoveries shrink by what was owed after all. What was held
back when it ended is held back again. A benefit in whose place another one was determined meanwhile stays ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import ledger
from kernel import ids
from services.benefits.entitlement import End, end_by_work
from services.benefits.history import Scheme
from services.benefits.keeping import Way
from services.benefits.lifecycle import FUND_OF, BenefitState, EndReason, Kind
from services.benefits.messages import keeping_facts
from services.benefits.operations import keeping_recovery
from services.benefits.operations.adjusting_later import join_runs
from services.benefits.operations.ending import end, end_earlier, end_early
from services.benefits.operations.keeping_suspending import ask_approvals, hold
from services.benefits.operations.settling import settle
from services.benefits.store import keeping_deaths, keeping_given_back, register
from services.benefits.store.keeping_held import Held

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.store.rows import BenefitRow

# What is paid to a person for living; a grant for a death, or a dependant's share, follows other rules.
FOR_LIFE = frozenset(
    {
        Kind.EMPLOYEE_PENSION,
        Kind.GOVERNMENT_PENSION,
        Kind.OCCUPATIONAL_ANNUITY,
        Kind.RESIDENT_PENSION,
        Kind.DISABILITY_ALLOWANCE,
        Kind.INJURY_ALLOWANCE,
        Kind.INJURY_NURSING,
        Kind.UNEMPLOYMENT,
    }
)


async def correct_deaths(tx: Transaction, deaths: Mapping[UUID, Month | None]) -> None:
    """Deaths as they are known now, none where it was taken back: ended benefits follow.

    Args:
        tx: The transaction of the event, in which the persons are locked.
        deaths: Month of death of each id, merged records included.
    """
    for row, determined in await keeping_deaths.lock_ended(tx, deaths, FOR_LIFE):
        assert row.last_month is not None
        died = deaths[row.person_id]
        last = determined if died is None else max(died, row.first_month.previous)
        if last is not None and determined is not None:
            last = min(last, determined)
        if _moved_by_death(row) and (last is None or last > row.last_month):
            await _reopen(tx, row, last, is_alive=died is None)
        elif last is not None and last < row.last_month:
            if row.end_reason is not EndReason.DIED and row.before_month is None:
                row.before_month, row.before_reason = row.last_month, row.end_reason
            # What was revoked stays revoked, whatever month it stands to.
            reason = EndReason.REVOKED if row.end_reason is EndReason.REVOKED else EndReason.DIED
            await end(tx, [(row, End(last, reason))])


def _moved_by_death(row: BenefitRow) -> bool:
    return row.end_reason is EndReason.DIED or row.before_month is not None


async def _reopen(tx: Transaction, row: BenefitRow, last: Month | None, *, is_alive: bool) -> None:
    """Let a locked benefit go on, or run to a later month of death."""
    before = row.last_month
    assert before is not None
    benefit_id = ids.to_text("ben", row.benefit_id)
    if row.before_month is not None and (last is None or last >= row.before_month):
        last, is_ended = row.before_month, True  # it had ended by itself, or by a decision, before the death
        row.end_reason, row.before_month, row.before_reason = row.before_reason, None, None
    else:
        is_ended = not is_alive or row.before_month is not None
    if not is_ended and await keeping_deaths.is_replaced(tx, row):
        tx.audit("benefit_not_reopened", person_id=row.person_id, detail={"benefit_id": benefit_id})
        return
    withdrawn = await keeping_deaths.first_withdrawn(tx, row.benefit_id, before, last)
    if withdrawn is not None:
        row.next_month = min(row.next_month, withdrawn)
    row.last_month = last
    if not is_ended:
        row.state, row.end_reason = BenefitState.ACTIVE, None
    await tx.session.flush()
    await join_runs(tx, row)
    for recovery_id, amount in await keeping_given_back.cancel_overpaid(tx, row.benefit_id, before, last):
        await keeping_recovery.cancel(
            tx, recovery_id, amount, way=Way.CANCELLED, digest=row.digest, reference=benefit_id
        )
    for payment_id, fen in await keeping_deaths.returned(tx, row.benefit_id, before, last):
        await ledger.post(
            tx,
            kind="payment_owed_again",
            key=f"owed-again/{ids.to_text('pmt', payment_id)}/{ids.new_id().hex}",
            postings=[(f"fund:{FUND_OF[row.kind]}", -fen), (f"returned:{row.kind.value.lower()}", fen)],
            business_date=tx.today,
        )
    if not is_ended and (held := await keeping_deaths.held_at_end(tx, row.benefit_id)):
        _, changed = await hold(tx, {row.benefit_id: held.from_month}, held.reason, held.evidence)
        await ask_approvals(tx, changed)
    await settle(tx, [row.benefit_id])
    if row.kind is Kind.UNEMPLOYMENT:
        await _end_at_work(tx, row)
    tx.emit(keeping_facts.resumed(Held(row.benefit_id, row.person_id, row.kind, before.next)))
    tx.audit(
        "benefit_reopened",
        person_id=row.person_id,
        detail={"benefit_id": benefit_id, "from_month": str(before.next), "last_month": str(last or "")},
    )


async def _end_at_work(tx: Transaction, row: BenefitRow) -> None:
    """Who was thought dead may have found work meanwhile."""
    starts = [one.start_month for one in await register.spells(tx, row.person_id) if one.scheme is Scheme.UNEMPLOYMENT]
    ends = [(row, end_by_work(row.first_month, row.event_month, start)) for start in sorted(starts)]
    await end_early(tx, ends)
    await end_earlier(tx, ends)
