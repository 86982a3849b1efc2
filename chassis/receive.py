"""Receiving one message: read it, let it take effect at most once, and say whether it must come again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from google.protobuf.message import DecodeError

from chassis import clocks, letters, transaction
from chassis.facts import day_of
from chassis.gate import PASSING, TRIES_MAX, Gate
from chassis.logs import get_logger
from chassis.parking import Parking, park
from chassis.principal import Principal
from kernel.errors import DomainError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from chassis.database import Database
    from chassis.facts import EventType
    from chassis.inbox import Consumer
    from chassis.transaction import Transaction

log = get_logger(__name__)

HEARD = "INSERT INTO inbox (event_id, producer, subject) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true"
TRIED = """
    INSERT INTO delivery (event_id, tries, reason) VALUES ($1, 1, $2)
    ON CONFLICT (event_id) DO UPDATE SET tries = delivery.tries + 1, reason = excluded.reason, last = clock_timestamp()
    RETURNING tries
"""


@dataclass(slots=True)
class Incoming:
    """A message as it came from the broker."""

    subject: str
    body: bytes
    event_id: UUID | None
    traceparent: str = ""
    event_type: EventType | None = None
    facts: Sequence[Any] = ()
    wrong: str = ""  # reason why the whole message cannot be used

    @property
    def keys(self) -> Sequence[str]:
        """Whose facts it carries; what cannot be read stands alone."""
        if self.event_type is None:
            return ()
        return list(dict.fromkeys(self.event_type.key(fact) for fact in self.facts))


def incoming(consumer: Consumer, subject: str, body: bytes, headers: Mapping[str, str]) -> Incoming:
    """Read a message; what is wrong with it is kept as a reason, because it must be parked and not tried again."""
    message = Incoming(subject, body, _event_id(headers), headers.get("traceparent", ""))
    event_type = consumer.types.get(subject)
    if message.event_id is None:
        message.wrong = "EVENT_ID_MISSING"
    elif event_type is None:
        message.wrong = "EVENT_TYPE_UNKNOWN"
    else:
        try:
            facts = event_type.message.FromString(body).facts
        except DecodeError:
            message.wrong = "EVENT_UNREADABLE"
            return message
        if not facts or any(not fact.header.aggregate_id or fact.header.version < 1 for fact in facts):
            message.wrong = "EVENT_INCOMPLETE"
        else:
            message.event_type, message.facts = event_type, list(facts)
    return message


def opened(consumer: Consumer, subject: str, body: bytes, headers: Mapping[str, str]) -> Sequence[Incoming]:
    """Read the events of a letter; one whose header does not fit its body is one event that cannot be read."""
    try:
        parts = letters.parted(body, headers)
    except ValueError:
        return [Incoming(subject, body, _event_id(headers), wrong="EVENT_UNREADABLE")]
    return [incoming(consumer, subject, part, own) for part, own in parts]


class TryAgain(Exception):  # noqa: N818 - a signal to the loop
    """The message took no effect and is to come again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.1f} s")
        self.seconds = seconds


async def receive(database: Database, consumer: Consumer, message: Incoming) -> None:
    """Let a message take effect, at most once over all its deliveries; then it may be acknowledged.

    Raises:
        TryAgain: It took no effect; ask for it again later.
    """
    if message.wrong:
        await _run(database, message, lambda tx: _park_whole(tx, consumer, message))
        log.error("event_parked", subject=message.subject, event_id=str(message.event_id), reason=message.wrong)
        return
    try:
        await _run(database, message, lambda tx: Gate(tx, consumer, message).receive())
    except PASSING as error:
        raise TryAgain(error.retry_after or 1.0) from None
    except DomainError:
        await _receive_carefully(database, consumer, message, tries=0)
    except Exception as error:  # noqa: BLE001 - a failure of any kind is counted
        tries = await _count(database, message, error)
        if tries < TRIES_MAX:
            raise TryAgain(backoff(tries)) from None
        await _receive_carefully(database, consumer, message, tries=tries)


def backoff(tries: int) -> float:
    """Seconds until the next try: 0.1 doubling to 60, so that ten tries take about a minute."""
    return min(60.0, 0.1 * 2.0 ** (min(tries, 20) - 1))


async def _receive_carefully(database: Database, consumer: Consumer, message: Incoming, *, tries: int) -> None:
    """Fact by fact, each in a part of the transaction that can fail alone; what fails for good is parked."""
    try:
        await _run(database, message, lambda tx: Gate(tx, consumer, message, is_careful=True, tries=tries).receive())
    except PASSING as error:
        raise TryAgain(error.retry_after or 1.0) from None
    except Exception as error:  # noqa: BLE001 - the same
        counted = await _count(database, message, error)
        if tries < TRIES_MAX <= counted:
            await _receive_carefully(database, consumer, message, tries=counted)
            return
        raise TryAgain(backoff(counted)) from None


async def _run(
    database: Database,
    message: Incoming,
    work: Callable[[Transaction], Awaitable[None]],
) -> None:
    await transaction.run(
        database,
        work,
        principal=Principal.system(database.settings.service),
        today=day_of(message.facts[0]) if message.facts else clocks.business_day(),
        method=message.subject,
        request_id=str(message.event_id or ""),
    )


async def _count(database: Database, message: Incoming, error: Exception) -> int:
    """One more failed delivery; how many there were. The broker's own count is lost with the broker.

    Raises:
        TryAgain: The database cannot count either.
    """
    try:
        async with database.connection() as connection:
            tries: int = await connection.fetchval(TRIED, message.event_id, type(error).__name__)
    except Unavailable:
        raise TryAgain(1.0) from None
    log.error("event_failed", subject=message.subject, event_id=str(message.event_id), tries=tries, exc_info=error)
    return tries


async def _park_whole(tx: Transaction, consumer: Consumer, message: Incoming) -> None:
    if message.event_id is not None and not await tx.fetchrow(
        HEARD, message.event_id, consumer.producer, message.subject
    ):
        return
    one = Parking(message.event_id, message.subject, None, None, None, message.body, message.wrong, message.traceparent)
    await park(tx, consumer.producer, 0, [one])


def _event_id(headers: Mapping[str, str]) -> UUID | None:
    """The event id; a republished event has a suffix after it."""
    try:
        return UUID(headers.get("Nats-Msg-Id", "").partition("/")[0])
    except ValueError:
        return None
