"""The inbox: each fact takes effect exactly once and in order, however often and in whatever order it is delivered.

One transaction per message, or for many plain ones together (`chassis.together`): the row of the event id, the version
gate of each fact, the effects, and what the effects say themselves. Messages are acknowledged after the commit. The
gate, per aggregate: the next version is applied; a
later one waits in `waiting` until its turn, which comes in the transaction that closes the gap; an earlier one under
another event id is parked and alarms. A fact that its handler refuses is parked and the others of the message commit;
later facts of the same aggregate then wait behind it until an operator replays or drops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chassis import crash, lanes
from chassis.facts import DeclarationWrong, EventType, day_of, of_message, siblings
from chassis.logs import get_logger
from chassis.receive import Incoming, TryAgain, backoff, opened, receive
from chassis.spans import process_span
from chassis.telemetry import is_sampled, remote
from chassis.together import MESSAGES_MAX, packs, receive_together
from kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nats.aio.msg import Msg

    from chassis.bus import Bus
    from chassis.database import Database
    from chassis.pull import Pull
    from chassis.transaction import Transaction

log = get_logger(__name__)

Handler = Callable[["Transaction", Any], Awaitable[None]]
ManyHandler = Callable[["Transaction", Sequence[Any]], Awaitable[None]]

SIDE_BY_SIDE = 4  # transactions of different aggregates at once; half of the connections
PACE_SECONDS = 0.05  # between two beginnings: a lone event passes at once, in a stream the next ones gather meanwhile
HEARTBEAT_SECONDS = 3.0  # a third of the time after which the broker gives a message to somebody else
POLL_SECONDS = 0.2
AWAY_SECONDS = 0.5
READ_BYTES = 256 * 1024  # so much is parsed before others get their turn
TRANSIENT_SECONDS_MAX = 5.0  # the wait after an outage of ours, however long it was

KNOWS = """
    SELECT NOT EXISTS (
        SELECT FROM unnest($1::text[], $2::text[], $3::bigint[]) AS one (kind, id, version)
        WHERE NOT EXISTS (SELECT FROM seen WHERE kind = one.kind AND id = one.id AND version >= one.version)
          AND NOT EXISTS (SELECT FROM aggregate WHERE kind = one.kind AND id = one.id AND version >= one.version)
    )
"""
STATUS = """
    SELECT (SELECT count(*) FROM waiting) AS waiting, (SELECT count(*) FROM parked WHERE state = 'PARKED') AS parked
"""


# -- what a service declares


class Consumer:
    """What one service does with the events of one producer.

    Args:
        producer: The service that says them.
        handlers: For each event message what is done with its facts: a function of one fact, `many(...)` of a function
            of several, or `ignore`.

    Raises:
        DeclarationWrong: Some type of an aggregate kind is missing: the versions of the kind would never be complete.
    """

    def __init__(self, producer: str, handlers: Mapping[type[Any], Handler | Many]) -> None:
        self.producer = producer
        self.types: dict[str, EventType] = {}
        self._handlers: dict[str, Handler | Many] = {}
        for message, handler in handlers.items():
            event_type = of_message(message)
            if event_type.producer != producer:
                raise DeclarationWrong(f"{event_type.name} is no event of {producer}")
            self.types[event_type.name] = event_type
            self._handlers[event_type.name] = handler
        for event_type in self.types.values():
            if missing := sorted(siblings(event_type) - self.types.keys()):
                raise DeclarationWrong(
                    f"who hears one type of {event_type.kind} hears all, or waits for ever for the versions between: "
                    f"name {', '.join(missing)} too (chassis.inbox.ignore does nothing with them)"
                )

    @property
    def subjects(self) -> frozenset[str]:
        """The subjects that are listened to."""
        return frozenset(self.types)

    async def apply(self, tx: Transaction, event_type: EventType, facts: Sequence[Any]) -> None:
        """Let facts of one type take effect, in order."""
        handler = self._handlers[event_type.name]
        tx.today = day_of(facts[0])
        if isinstance(handler, Many):
            await handler.handler(tx, facts)
            return
        for fact in facts:
            await handler(tx, fact)


@dataclass(frozen=True, slots=True)
class Many:
    """Marks a handler that takes several facts at once."""

    handler: ManyHandler


def many(handler: ManyHandler) -> Many:
    """A handler of all facts of a message that may be applied now (one or more, in order), for set-based SQL."""
    return Many(handler)


async def ignore(tx: Transaction, fact: Any) -> None:
    """A handler for types of a kind that this service has no use for; their versions still count."""


# -- taking messages


@dataclass(slots=True)
class _Letter:
    """A letter in hand; it is answered once, when each of its events is."""

    raw: Msg
    left: int = 1
    again_in: float | None = None


@dataclass(slots=True)
class _Held:
    """An event in hand."""

    letter: _Letter
    message: Incoming

    @property
    def tries(self) -> int:
        """How often the letter was delivered."""
        return self.letter.raw.metadata.num_delivered

    @property
    def is_alone(self) -> bool:
        """Whether it goes in a transaction of its own: it cannot be read, came before, or its trace is recorded."""
        message = self.message
        return bool(message.wrong) or self.tries > 1 or is_sampled(message.traceparent)


class ConsumerLoop:
    """Takes the messages of one consumer, side by side where they concern different aggregates."""

    def __init__(self, database: Database, bus: Bus, consumer: Consumer) -> None:
        self.consumer = consumer
        self._database = database
        self._bus = bus
        self._arrived: list[_Letter] = []
        self._held: dict[int, _Letter] = {}  # everything that is not answered yet
        self._wake = asyncio.Event()

    async def lag(self) -> tuple[int, int]:
        """How many messages were not given to this service yet, and how many it has not acknowledged.

        Raises:
            Unavailable: BROKER_UNAVAILABLE, CONSUMER_MISSING.
        """
        return await self._bus.consumer_lag(self.consumer.producer)

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages until told to stop, then finish what is in hand and give back the rest."""
        while not stop.is_set():
            if not self._bus.is_connected:
                await _first(stop, AWAY_SECONDS)
                continue
            try:
                async with self._bus.pull(self.consumer.producer, self._take) as pull, asyncio.TaskGroup() as group:
                    beat = group.create_task(self._heartbeat())
                    await self._work(pull, stop)
                    beat.cancel()
                await self._give_back()
            except* Unavailable:
                self._arrived.clear()
                self._held.clear()
                await _first(stop, AWAY_SECONDS)

    def _take(self, raw: Msg) -> None:
        letter = _Letter(raw)
        self._arrived.append(letter)
        self._held[id(letter)] = letter
        self._wake.set()

    async def _work(self, pull: Pull, stop: asyncio.Event) -> None:
        while not stop.is_set() and self._bus.is_connected:
            await pull.ask()
            if not self._arrived:
                self._wake.clear()
                await _first(self._wake, POLL_SECONDS)
                continue
            begun = asyncio.get_running_loop().time()
            batch = self._read()
            together = list(packs(batch, lambda held: held.message, lambda held: held.is_alone))
            await lanes.go(together, lambda _: (), self._process_pack, side_by_side=SIDE_BY_SIDE)
            if len(self._arrived) < MESSAGES_MAX:
                await _first(stop, begun + PACE_SECONDS - asyncio.get_running_loop().time())

    def _read(self) -> list[_Held]:
        """Parse what arrived, in pieces that leave the event loop to others in between."""
        batch: list[_Held] = []
        size = 0
        while self._arrived and size < READ_BYTES:
            letter = self._arrived.pop(0)
            raw = letter.raw
            size += len(raw.data)
            events = opened(self.consumer, raw.subject, raw.data, raw.headers or {})
            letter.left = len(events)
            batch += [_Held(letter, event) for event in events]
        return batch

    async def _process_pack(self, pack: Sequence[_Held]) -> bool:
        """Let messages take effect in one transaction where that is possible, else one after the other."""
        is_plain = len(pack) > 1 and not any(held.is_alone for held in pack)
        if is_plain and await receive_together(self._database, self.consumer, [held.message for held in pack]):
            crash.at("after_effect_before_ack")
            for held in pack:
                await self._answer(held.letter, None)
            return True
        for held in pack:
            await self._process(held)
        return True

    async def _process(self, held: _Held) -> None:
        """Let one message take effect and answer for it; never ends its lane, the gate keeps the order."""
        message = held.message
        try:
            with (
                remote(message.traceparent),
                process_span(message.subject, str(message.event_id), len(message.facts)),
            ):
                await receive(self._database, self.consumer, message)
        except TryAgain as again:
            await self._answer(held.letter, again.seconds)
        except Exception:
            # Nothing is known of it but that it failed outside every rule: as if it had not been delivered.
            log.exception("receive_failed", subject=message.subject, event_id=str(message.event_id))
            await self._answer(held.letter, min(TRANSIENT_SECONDS_MAX, backoff(held.tries)))
        else:
            crash.at("after_effect_before_ack")
            await self._answer(held.letter, None)

    async def _answer(self, letter: _Letter, again_in: float | None) -> None:
        """Answer for one event; with the last one acknowledge the letter, or ask for it again where one needs it.

        An answer that is lost is given again with the next delivery; events that took effect are known then.
        """
        letter.left -= 1
        if again_in is not None:
            letter.again_in = max(again_in, letter.again_in or 0.0)
        if letter.left > 0:
            return
        self._held.pop(id(letter), None)
        raw, again_in = letter.raw, letter.again_in
        try:
            if again_in is None:
                await raw.ack()
            else:
                await raw.nak(delay=again_in)  # without a delay it would come back in a tight circle
        except Exception as error:  # noqa: BLE001 - whatever the connection has, the inbox makes it good
            log.warning("answer_lost", subject=raw.subject, error=type(error).__name__)

    async def _heartbeat(self) -> None:
        """Tell the broker that what is in hand is being worked on."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for letter in list(self._held.values()):
                try:
                    await letter.raw.in_progress()
                except Exception as error:  # noqa: BLE001 - the same
                    log.warning("heartbeat_lost", subject=letter.raw.subject, error=type(error).__name__)
                    break

    async def _give_back(self) -> None:
        """Let others have what arrived and was not begun."""
        for letter in self._arrived:
            await self._answer(letter, POLL_SECONDS)
        self._arrived.clear()


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer than so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


# -- asking


async def knows(tx: Transaction, wanted: Iterable[tuple[str, str, int]]) -> bool:
    """Whether this service has said or heard each aggregate (kind, id) at least up to a version."""
    kinds, keys, versions = zip(*wanted, strict=True) if (wanted := list(wanted)) else ((), (), ())
    row = await tx.fetchrow(KNOWS, list(kinds), list(keys), list(versions))
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class Status:
    """What stands still."""

    waiting: int
    parked: int


async def status(database: Database) -> Status:
    """How many facts wait for an earlier one, and how many for a person."""
    async with database.connection() as connection:
        row = await connection.fetchrow(STATUS)
    assert row is not None
    return Status(row["waiting"], row["parked"])
