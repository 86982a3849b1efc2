"""Orders at the national back end: noted as sent, sent outside every transaction, and the answer taken in another one.

Whoever dies between the two leaves an order that may have been sent; the next process asks for it by its number.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from chassis import clocks, transaction
from chassis.logs import get_logger
from chassis.principal import Principal
from kernel import ids
from kernel.errors import DomainError
from services.card.domain.lifecycle import Actor, CardEvent, CardState
from services.card.issuers import Answer, Content, Outcome
from services.card.operations import holders, issuing, life
from services.card.store import cards, orders
from services.card.store import holders as holder_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.database import Database
    from chassis.transaction import Transaction
    from services.card.issuers import Issuer
    from services.card.operations.office import Office
    from services.card.store.orders import Order

T = TypeVar("T")

log = get_logger(__name__)

ASK_AGAIN_SECONDS = 60.0  # longer than a call lives: an answer that is on its way is not overtaken
IDLE_SECONDS = 2.0


async def work(database: Database, office: Office, issuer: Issuer, stop: asyncio.Event) -> None:
    """Send and ask for orders until the process ends."""
    while not stop.is_set():
        try:
            busy = await work_off_one(database, office, issuer)
        except DomainError as error:  # the database is away or others were faster
            log.warning("order_waits", reason=error.reason)
            busy = False
        if busy:
            continue
        try:
            await asyncio.wait_for(stop.wait(), IDLE_SECONDS)
        except TimeoutError:
            continue
    await issuer.close()


async def work_off_one(
    database: Database, office: Office, issuer: Issuer, *, ask_again: float = ASK_AGAIN_SECONDS
) -> bool:
    """Send the next order, or ask for one whose answer stayed out; False when none waits.

    Args:
        database: Of the card service.
        office: Law, keys, places.
        issuer: The back end.
        ask_again: Seconds after which an order without an answer is asked for.
    """

    async def take(tx: Transaction) -> tuple[Order, Content] | None:
        order = await orders.next_one(tx, tx.now.timestamp() - ask_again)
        return (order, await _content(tx, order)) if order is not None else None

    taken = await _run(database, take)
    if taken is None:
        return False
    order, content = taken
    answer = await issuer.ask(order.request_no) if order.may_be_there else Answer(Outcome.NOT_THERE)
    if answer.outcome is Outcome.NOT_THERE:
        answer = await issuer.issue(content)
    if answer.simulated and office.is_production:
        log.error("order_answered_by_simulator", request_no=order.request_no.hex)
        return True
    if answer.outcome in (Outcome.NO_ANSWER, Outcome.NOT_THERE):
        log.warning("order_without_answer", request_no=order.request_no.hex)
        return True
    await office.places.ready(database)
    await _run(database, lambda tx: _settle(tx, order, answer, office))
    return True


async def _content(tx: Transaction, order: Order) -> Content:
    card = await cards.get(tx, order.card_id)
    assert card is not None  # a foreign key
    holder = await holders.known(tx, card.person_id)
    return Content(order.request_no, card.level, name=holder_rows.name(tx, holder), id_no=holder_rows.id_no(tx, holder))


async def _settle(tx: Transaction, order: Order, answer: Answer, office: Office) -> None:
    """Let an answer take effect once, whoever brings it."""
    found = await cards.get(tx, order.card_id)
    assert found is not None
    holder = await holders.locked(tx, found.person_id)
    card = await cards.get(tx, order.card_id, lock=True)
    assert card is not None
    state = answer.outcome.value
    if not await orders.close(tx, order.request_no, state, answer.sign_no, simulated=answer.simulated):
        return
    tx.audit(
        "card_order_answered",
        person_id=card.person_id,
        detail={"card_id": ids.to_text("crd", card.card_id), "request_no": order.request_no.hex, "outcome": state},
    )
    assert card.state is CardState.QUEUED  # only an answer leads out of it
    if answer.outcome is Outcome.DECLINED:
        life.change(tx, card, CardEvent.DECLINE, Actor.SYSTEM)
        return
    await issuing.issue(tx, card, holder, office)


async def _run(database: Database, step: Callable[[Transaction], Awaitable[T]]) -> T:
    return await transaction.run(
        database, step, principal=Principal.system("card"), today=clocks.business_day(), method="order"
    )
