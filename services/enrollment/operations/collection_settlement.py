"""When a difference of final limits takes effect: when the bill is paid, and the demand of the difference too.

On a cash basis nothing reaches an account before its money is there. A credit of lower limits needs no money: it waits
only for the bill.
"""

import asyncio

from chassis import ledger
from chassis.transaction import Transaction
from kernel import ids
from kernel.money import Money
from services.enrollment import accounting
from services.enrollment.accounting import ContributionState, EntryKind
from services.enrollment.billing import EMPLOYEE_SCHEMES, Bill
from services.enrollment.collection import DEMANDS, SUSPENSE, Difference, Suspense, SuspenseReason, SuspenseState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.messages import facts
from services.enrollment.store import collection, differences

SLICE = 250  # facts made between two turns of the event loop


async def settle_waiting(tx: Transaction, bill: Bill) -> int:
    """Let the differences of a locked, paid bill take effect, in their order, up to the first that is not paid."""
    settled = 0
    for one, is_paid, paid_date in await differences.waiting(tx, bill.bill_id):
        if not is_paid:
            break
        day = paid_date or tx.today
        taken = await differences.settle(tx, one, day)
        source = f"difference:{ids.to_text('dif', one.difference_id)}"
        for number, person in enumerate(taken, start=1):
            items = dict.fromkeys(EMPLOYEE_SCHEMES, (person.base, ContributionState.PAID))
            tx.emit(facts.contributions_settled(person.person_id, one.month, items, source))
            if person.booked is not None and person.share != Money.ZERO:
                tx.emit(
                    facts.account_credited(
                        person.person_id,
                        EntryKind.CONTRIBUTION,
                        person.booked,
                        amount=person.share,
                        balance=person.balance,
                    )
                )
            if number % SLICE == 0:
                await asyncio.sleep(0)
        credited = Money.total(person.share for person in taken if person.booked is not None)
        # A share that a settled account cannot give back any more is the fund's loss.
        withheld = Money.total(person.share for person in taken if person.booked is None and person.share > Money.ZERO)
        await differences.close(tx, one.difference_id, credited, withheld)
        await _book(tx, one, credited, withheld)
        settled += len(taken)
    return settled


async def _book(tx: Transaction, one: Difference, credited: Money, withheld: Money) -> None:
    """From what was paid to the funds, or from the funds to the employer's credit."""
    if one.total < Money.ZERO:
        credit = Suspense(
            suspense_id=ids.new_id(),
            receipt_no="",
            employer_id=one.employer_id,
            reason=SuspenseReason.DIFFERENCE,
            amount=-one.total,
            left=-one.total,
            state=SuspenseState.OPEN,
            paid_date=tx.today,
        )
        await collection.add_suspense(tx, credit, difference_id=one.difference_id)
    postings = [
        (SUSPENSE if one.total < Money.ZERO else DEMANDS, -one.total),
        (accounting.PENSION_FUND, one.of(Scheme.EMPLOYEE_PENSION) - credited - withheld),
        (accounting.ACCOUNTS, credited),
        (accounting.REFUNDS, withheld),
        (accounting.UNEMPLOYMENT_FUND, one.of(Scheme.UNEMPLOYMENT)),
        (accounting.INJURY_FUND, one.of(Scheme.WORK_INJURY)),
    ]
    moved = [(account, amount) for account, amount in postings if amount != Money.ZERO]
    if moved:
        await ledger.post(
            tx,
            kind="difference",
            key=ids.to_text("dif", one.difference_id),
            postings=moved,
            business_date=tx.today,
        )
