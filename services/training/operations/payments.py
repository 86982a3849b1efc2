"""What the bank fetches and answers (银行回盘)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import ledger, paging
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.training.lifecycle import ORDER_STEPS, OrderState
from services.training.messages import facts
from services.training.store import claims

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.training.commands import Page, Payee, RecordResult
    from services.training.store.rows import OrderRow

FUND, CLEARING = "fund:unemployment", "clearing:bank"
BOOKED = {OrderState.CONFIRMED: "paid", OrderState.RETURNED: "returned"}
# The bank's number of the payment, as it prints on its statements; no text that could hold a name.
_REFERENCE = re.compile(r"[0-9A-Za-z._:/-]{4,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OrderToPay:
    """A payment order as the bank gets it."""

    order: OrderRow
    payee: Payee


@dataclass(frozen=True, slots=True)
class OrdersToPay:
    """A page of payment orders."""

    orders: Sequence[OrderToPay]
    next_page_token: str


async def list_orders(tx: Transaction, command: Page) -> OrdersToPay:
    """The payment orders that wait for the bank, with names and accounts in clear, for its adapter only.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=command.size, token=command.token, query="subsidy orders")
    rows = await claims.released(tx, after=UUID(page.after) if page.after else None, limit=page.size + 1)
    shown = rows[: page.size]
    payees = await claims.payees(tx, (row.payee_id for row in shown))
    if shown:
        keys = "".join(row.order_id.hex for row in shown)
        digest = hashlib.sha256(keys.encode()).hexdigest()
        tx.audit("payees_shown", detail={"count": str(len(shown)), "orders_digest": digest})
    token = paging.following(tx, page, str(shown[-1].order_id)) if len(rows) > page.size else ""
    return OrdersToPay([OrderToPay(row, claims.open_payee(tx, payees[row.payee_id])) for row in shown], token)


async def record_result(tx: Transaction, command: RecordResult) -> OrderRow:
    """Record what the bank answered: the money leaves the clearing account, to the payee or back.

    Raises:
        NotFound: PAYMENT_NOT_FOUND.
        InvalidInput: BANK_REFERENCE_REQUIRED.
        Forbidden: SIMULATION_REFUSED: a simulator answered in production.
        Refused: PAYMENT_ALREADY_ANSWERED.
    """
    if not _REFERENCE.fullmatch(command.bank_reference):
        raise InvalidInput(
            "BANK_REFERENCE_REQUIRED", "a bank reference has 4 to 64 letters and digits", field="bank_reference"
        )
    if command.simulated and tx.database.settings.is_prod:
        raise Forbidden("SIMULATION_REFUSED", "a simulated answer is nothing in production")
    row = await claims.order(tx, command.order_id, lock=True)
    if row is None:
        raise NotFound("PAYMENT_NOT_FOUND", "no such payment order")
    if (row.state, command.answer) not in ORDER_STEPS:
        raise Refused("PAYMENT_ALREADY_ANSWERED", "the bank answered before", state=row.state.value)
    row.state = ORDER_STEPS[row.state, command.answer]
    row.bank_reference = command.bank_reference
    row.simulated = command.simulated
    row.answer_date = tx.today
    booked = BOOKED[row.state]
    order_id = ids.to_text("ord", row.order_id)
    await ledger.post(
        tx,
        kind=f"payment_{booked}",
        key=f"payment/{order_id}",
        postings=[(CLEARING, -row.amount), (f"{booked}:skill_subsidy", row.amount)],
        business_date=tx.today,
    )
    if row.state is OrderState.CONFIRMED:
        tx.emit(facts.subsidy_paid(row))
    tx.audit("subsidy_answered", person_id=row.person_id, detail={"order_id": order_id, "state": row.state.value})
    return row
