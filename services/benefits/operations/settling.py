"""Settling up (清算): where months, amounts and recoveries of a benefit changed together, what is off is put right.

Each room books what it knows: an end writes whole payments down as overpaid, a run writes the difference of amounts.
Where two of them meet (a month was paid by an amount that was reversed, and the person had died before; a difference
waits for months that are not owed any more) the sum of both is not what is owed. Here it is made so: what waits is
withdrawn, what is claimed too much is cancelled, and what is left is one difference or one recovery
(docs/decisions/0254).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from kernel.money import Money
from services.benefits.keeping import Way
from services.benefits.operations import keeping_recovery
from services.benefits.store import decisions, keeping_given_back
from services.benefits.store import settling as store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.store.settling import Balance

REASON = "SETTLED_UP"


async def settle(tx: Transaction, benefit_ids: Iterable[UUID]) -> None:
    """Bring locked benefits to what is owed; most are there, and one query says so."""
    chosen = set(benefit_ids)
    if not chosen:
        return
    await tx.session.flush()
    for one in await store.off_balance(tx, chosen):
        await _settle(tx, one)


async def settle_with_a_past(tx: Transaction, benefit_ids: Iterable[UUID]) -> None:
    """The same after a run over many: those of which nothing was recovered, returned or held back are right as run."""
    await settle(tx, await store.with_a_past(tx, benefit_ids))


async def settle_with_differences(tx: Transaction, benefit_ids: Iterable[UUID]) -> None:
    """The same for those of many whose months left payrolls: only a difference for such a month is off then."""
    await settle(tx, await store.with_differences(tx, benefit_ids))


async def _settle(tx: Transaction, one: Balance) -> None:
    owed = one.balance
    if one.waits > Money.ZERO:
        await store.withdraw_differences(tx, one.benefit_id)
        owed += one.waits
    if owed > Money.ZERO:
        owed -= await _claim_less(tx, one, owed)
    row = await decisions.benefit(tx, one.benefit_id, lock=True)
    assert row is not None
    if owed > Money.ZERO:
        await keeping_given_back.add_difference(tx, row, first=one.first, last=one.last, amount=owed, digest=one.digest)
    elif owed < Money.ZERO:
        over = [(one.benefit_id, one.first.first_day, one.last.first_day, -owed.fen)]
        await keeping_recovery.note_overpaid_differences(tx, ids.new_id(), REASON, over)
    tx.audit("benefit_settled", person_id=row.person_id, detail={"benefit_id": ids.to_text("ben", one.benefit_id)})


async def _claim_less(tx: Transaction, one: Balance, owed: Money) -> Money:
    """Cancel of open recoveries what they claim too much; how much."""
    less = Money.ZERO
    for recovery_id in await store.open_recoveries(tx, one.benefit_id):
        found = await keeping_recovery.locked(tx, recovery_id)
        part = min(owed - less, max(found.free, Money.ZERO))
        if part > Money.ZERO:
            reference = ids.to_text("ben", one.benefit_id)
            await keeping_recovery.cancel(
                tx, recovery_id, part, way=Way.CANCELLED, digest=one.digest, reference=reference
            )
            less += part
    return less
