"""Parked facts: what an operator can do with a fact that could not take effect.

Show it, replay it (after the cause is gone), or drop it (its version then counts as taken, without effect). Either
way the facts that waited behind it are released in the same transaction, and the decision is audited. The caller sees
to it that a drop was approved by a second person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chassis import transaction
from chassis.gate import LOCK, Gate, Key
from chassis.receive import Incoming, incoming
from kernel.errors import NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from chassis.database import Database
    from chassis.facts import EventType
    from chassis.inbox import Consumer
    from chassis.principal import Principal
    from chassis.transaction import Transaction

COLUMNS = "number, event_id, producer, subject, kind, id AS key, version, reason, tries, traceparent, created, state"
LIST = f"""
    SELECT {COLUMNS} FROM parked WHERE state = 'PARKED' AND number > $1 ORDER BY number LIMIT $2
"""  # noqa: S608 - constant
SHOW = f"SELECT {COLUMNS} FROM parked WHERE number = $1"  # noqa: S608 - constant
TAKE = f"SELECT {COLUMNS}, body FROM parked WHERE number = $1 FOR UPDATE"  # noqa: S608 - constant
DECIDE = """
    UPDATE parked SET state = $2, decided = clock_timestamp(), decided_by = $3, decision = $4 WHERE number = $1
"""


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked fact, without its body."""

    number: int
    event_id: UUID | None
    producer: str
    subject: str
    kind: str | None
    key: str | None
    version: int | None
    reason: str
    tries: int
    traceparent: str
    created: datetime
    state: str


async def listed(tx: Transaction, *, after: int = 0, limit: int = 100) -> list[Parked]:
    """What is parked, oldest first."""
    return [Parked(**dict(row)) for row in await tx.fetch(LIST, after, limit)]


async def show(tx: Transaction, number: int) -> Parked:
    """One parked fact.

    Raises:
        NotFound: PARKED_NOT_FOUND.
    """
    row = await tx.fetchrow(SHOW, number)
    if row is None:
        raise _not_found()
    return Parked(**dict(row))


async def replay(
    database: Database, consumers: Sequence[Consumer], number: int, *, principal: Principal, today: date
) -> None:
    """Let a parked fact take effect now, and what waited behind it.

    Raises:
        NotFound: PARKED_NOT_FOUND.
        Refused: PARKED_DECIDED, PARKED_NOT_NEXT (an earlier fact is missing), PARKED_SUPERSEDED (drop it).
        Exception: Whatever its handler raises; it stays parked.
    """

    async def work(tx: Transaction) -> None:
        one, body = await _take(tx, number)
        if one.kind is None:
            await _replay_whole(tx, consumers, one, body)
        else:
            consumer, event_type = _listener(consumers, one)
            fact = event_type.fact.FromString(body)
            gate = await _locked(tx, consumer, event_type, one)
            _check_turn(gate, one)
            await consumer.apply(tx, event_type, [fact])
            await _advance(gate, one)
        await _decide(tx, one, "REPLAYED", "")

    await transaction.run(database, work, principal=principal, today=today, method="parked replay")


async def drop(
    database: Database, consumers: Sequence[Consumer], number: int, *, principal: Principal, today: date, reason: str
) -> None:
    """Give a parked fact up: its version counts as taken, and what waited behind it takes effect.

    Raises:
        NotFound: PARKED_NOT_FOUND.
        Refused: PARKED_DECIDED, PARKED_NOT_NEXT.
        Exception: Whatever the handler of a fact behind it raises; it stays parked.
    """

    async def work(tx: Transaction) -> None:
        one, _ = await _take(tx, number)
        if one.kind is not None:
            consumer, event_type = _listener(consumers, one)
            gate = await _locked(tx, consumer, event_type, one)
            if one.version is not None and one.version > gate.keys[str(one.key)].version:
                _check_turn(gate, one)
                await _advance(gate, one)
        await _decide(tx, one, "DROPPED", reason)

    await transaction.run(database, work, principal=principal, today=today, method="parked drop")


async def _take(tx: Transaction, number: int) -> tuple[Parked, bytes]:
    row = await tx.fetchrow(TAKE, number)
    if row is None:
        raise _not_found()
    values: dict[str, Any] = dict(row)
    body: bytes = values.pop("body")
    one = Parked(**values)
    if one.state != "PARKED":
        raise Refused("PARKED_DECIDED", "this was replayed or dropped before", state=one.state)
    return one, body


async def _decide(tx: Transaction, one: Parked, state: str, decision: str) -> None:
    await tx.execute(DECIDE, one.number, state, tx.principal.subject, decision)
    tx.audit(f"parked {state.lower()}", detail={"number": str(one.number), "event_id": str(one.event_id)})


def _listener(consumers: Sequence[Consumer], one: Parked) -> tuple[Consumer, EventType]:
    for consumer in consumers:
        if consumer.producer == one.producer and one.subject in consumer.types:
            return consumer, consumer.types[one.subject]
    raise Refused("PARKED_NOT_HEARD", "this service does not listen to such events")


async def _locked(tx: Transaction, consumer: Consumer, event_type: EventType, one: Parked) -> Gate:
    """The gate of the fact's aggregate, its row held until the end."""
    message = Incoming(one.subject, b"", one.event_id, one.traceparent, event_type)
    gate = Gate(tx, consumer, message)
    rows = await tx.fetch(LOCK, event_type.kind, [one.key])
    gate.keys = {row["id"]: Key(row["version"], row["is_behind"]) for row in rows}
    return gate


def _check_turn(gate: Gate, one: Parked) -> None:
    version = gate.keys[str(one.key)].version
    if one.version is None or one.version <= version:
        raise Refused("PARKED_SUPERSEDED", "a fact with this version took effect; drop this one")
    if one.version > version + 1:
        raise Refused("PARKED_NOT_NEXT", "an earlier fact of the same record is missing")


async def _advance(gate: Gate, one: Parked) -> None:
    key = gate.keys[str(one.key)]
    key.version, key.changed = int(one.version or 0), True
    await gate.release()
    await gate.close()


async def _replay_whole(tx: Transaction, consumers: Sequence[Consumer], one: Parked, body: bytes) -> None:
    """Try again to read a message that could not be read, for example after an update of this service."""
    consumer, _ = _listener(consumers, one)
    message = incoming(consumer, one.subject, body, {"Nats-Msg-Id": str(one.event_id)})
    if message.wrong:
        raise Refused(message.wrong, "the message still cannot be read")
    await Gate(tx, consumer, message).receive_again()


def _not_found() -> NotFound:
    return NotFound("PARKED_NOT_FOUND", "nothing is parked under this number")
