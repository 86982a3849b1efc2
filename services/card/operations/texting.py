"""Messages to holders: noted as sent, sent outside every transaction, and the answer taken in another one.

Whoever dies between the two leaves a message that may have left; the next process asks for it by its number. What the
platform does not take stays what it was before there were messages: a notice at the holder's card.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from chassis import clocks, crash, transaction
from chassis.logs import get_logger
from chassis.principal import Principal
from kernel.errors import DomainError
from services.card.domain.contact import NoticeWord
from services.card.messages import words
from services.card.store import texts
from services.card.text_platform import Answer, Outcome, Text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.database import Database
    from chassis.transaction import Transaction
    from services.card.operations.office import Office
    from services.card.store.texts import Message
    from services.card.text_platform import Platform

T = TypeVar("T")

log = get_logger(__name__)

ASK_AGAIN_SECONDS = 60.0  # longer than a call lives: an answer that is on its way is not overtaken
IDLE_SECONDS = 2.0
OLD_ROWS = 500


async def work(database: Database, office: Office, platform: Platform, stop: asyncio.Event) -> None:
    """Send and ask for messages until the process ends."""
    while not stop.is_set():
        try:
            busy = await work_off_one(database, office, platform)
        except DomainError as error:  # the database is away or others were faster
            log.warning("message_waits", reason=error.reason)
            busy = False
        if busy:
            continue
        try:
            await asyncio.wait_for(stop.wait(), IDLE_SECONDS)
        except TimeoutError:
            continue
    await platform.close()


async def work_off_one(
    database: Database, office: Office, platform: Platform, *, ask_again: float = ASK_AGAIN_SECONDS
) -> bool:
    """Send the next message, or ask for one whose answer stayed out; False when none waits or none could be sent.

    Args:
        database: Of the card service.
        office: The law.
        platform: Who sends.
        ask_again: Seconds after which a message without an answer is asked for.
    """

    async def take(tx: Transaction) -> Message | None:
        hours = office.policy.message_hours.on(tx.today).value
        await texts.give_up(tx, tx.now - timedelta(hours=hours), OLD_ROWS)
        return await texts.next_one(tx, tx.now - timedelta(seconds=ask_again))

    message = await _run(database, take)
    if message is None:
        return False
    crash.at("message_taken")
    answer = await _answer(message, office, platform)
    crash.at("message_sent")
    if answer.simulated and office.is_production:
        log.error("message_answered_by_simulator", request_no=message.request_no.hex)
        return False
    if answer.outcome in (Outcome.NO_ANSWER, Outcome.NOT_THERE):
        log.warning("message_without_answer", request_no=message.request_no.hex)
        return False
    await _run(database, lambda tx: _close(tx, message, answer))
    return True


async def _answer(message: Message, office: Office, platform: Platform) -> Answer:
    """What becomes of a message; without a number there is nobody to send it to any more."""
    if not message.phone:
        return Answer(Outcome.REFUSED)
    answer = await platform.ask(message.request_no) if message.may_be_there else Answer(Outcome.NOT_THERE)
    if answer.outcome is Outcome.NOT_THERE:
        answer = await platform.send(Text(message.request_no, message.phone, _said(message, office)))
    return answer


def _said(message: Message, office: Office) -> str:
    if message.word == NoticeWord.CODE:
        return words.code(message.code, office.policy.code_seconds.on(message.day).value)
    return words.notice(message.word, message.actor, message.day)


async def _close(tx: Transaction, message: Message, answer: Answer) -> None:
    """Note an answer once, whoever brings it."""
    if await texts.close(tx, message.request_no, answer.outcome.value, simulated=answer.simulated):
        tx.audit(
            "message_answered",
            person_id=message.person_id,
            detail={
                "request_no": message.request_no.hex,
                "word": message.word,
                "outcome": answer.outcome.value,
                "simulated": str(answer.simulated).lower(),
            },
        )


async def _run(database: Database, step: Callable[[Transaction], Awaitable[T]]) -> T:
    return await transaction.run(
        database, step, principal=Principal.system("card"), today=clocks.business_day(), method="message"
    )
