"""The version gate: whether a fact is applied now, waits for its turn, was applied before, or needs a person.

Per aggregate (kind, id) the table `seen` holds the last version that took effect. In the transaction of a message:
the next version is applied; a later one waits in `waiting` and is released in the transaction that closes the gap; an
earlier one under another event id is parked. Where the next fact is parked, the version stands still and later ones
wait behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis.database import AGAIN, is_away, sqlstate
from chassis.logs import get_logger
from chassis.parking import Parking, park
from chassis.spans import process_span
from chassis.telemetry import remote
from kernel.errors import Busy, Conflict, DomainError, Unavailable

if TYPE_CHECKING:
    from chassis.facts import EventType
    from chassis.inbox import Consumer
    from chassis.receive import Incoming
    from chassis.transaction import Transaction

log = get_logger(__name__)

TRIES_MAX = 10
PASSING = (Conflict, Busy, Unavailable)  # refusals that say "later", not "no"

OPEN = """
    WITH heard AS (
        INSERT INTO inbox (event_id, producer, subject) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true
    ), locked AS (
        INSERT INTO seen AS mine (kind, id, version) SELECT $4, one.id, 0 FROM unnest($5::text[]) AS one (id)
        ON CONFLICT (kind, id) DO UPDATE SET version = mine.version RETURNING id, version, is_behind
    )
    SELECT id, version, is_behind, EXISTS (SELECT FROM heard) AS is_new FROM locked
"""
LOCK = """
    INSERT INTO seen AS mine (kind, id, version) SELECT $1, one.id, 0 FROM unnest($2::text[]) AS one (id)
    ON CONFLICT (kind, id) DO UPDATE SET version = mine.version RETURNING id, version, is_behind
"""
ADVANCE = """
    UPDATE seen SET version = one.version, is_behind = one.is_behind
    FROM unnest($2::text[], $3::bigint[], $4::boolean[]) AS one (id, version, is_behind)
    WHERE seen.kind = $1 AND seen.id = one.id
"""
QUEUE = """
    SELECT id, version, event_id, subject, fact, traceparent FROM waiting
    WHERE kind = $1 AND id = ANY($2::text[]) ORDER BY id, version
"""
WAIT = """
    INSERT INTO waiting (kind, id, version, event_id, subject, fact, traceparent)
    SELECT $1::text, one.id, one.version, $2::uuid, $3::text, one.fact, $4::text
    FROM unnest($5::text[], $6::bigint[], $7::bytea[]) AS one (id, version, fact)
    ON CONFLICT DO NOTHING RETURNING id, version
"""
LEAVE = """
    DELETE FROM waiting USING unnest($2::text[], $3::bigint[]) AS one (id, version)
    WHERE waiting.kind = $1 AND waiting.id = one.id AND waiting.version = one.version
"""


@dataclass(slots=True)
class Key:
    """Where one aggregate stands, inside the transaction that holds its row."""

    version: int
    is_behind: bool
    is_blocked: bool = False  # its next fact was parked just now
    changed: bool = False


@dataclass(slots=True)
class Gate:
    """The version gate over one message, in one transaction."""

    tx: Transaction
    consumer: Consumer
    message: Incoming
    is_careful: bool = False
    tries: int = 0
    keys: dict[str, Key] = field(default_factory=dict)
    waiting: list[Any] = field(default_factory=list)
    parking: list[Parking] = field(default_factory=list)

    @property
    def event_type(self) -> EventType:
        """The type of the message; one that cannot be read never gets here."""
        assert self.message.event_type is not None
        return self.message.event_type

    async def receive(self) -> None:
        """Record the event, let its facts pass, and release what waited for them."""
        off = self.tx.database.settings.is_off
        if off("inbox"):
            await self.consumer.apply(self.tx, self.event_type, self.message.facts)
            return
        if not await self._open():
            return  # known: acknowledge again
        if off("gate"):
            await self.consumer.apply(self.tx, self.event_type, self.message.facts)
            return
        await self._pass()
        await self.release()
        await self.close()

    async def receive_again(self) -> None:
        """Let a message pass whose event id is recorded already, but none of whose facts took effect."""
        kind, keys = self.event_type.kind, sorted({fact.header.aggregate_id for fact in self.message.facts})
        rows = await self.tx.fetch(LOCK, kind, keys)
        self.keys = {row["id"]: Key(row["version"], row["is_behind"]) for row in rows}
        await self._pass()
        await self.release()
        await self.close()

    async def _open(self) -> bool:
        """Record the event id and lock its aggregates, in one round trip; whether the event is new."""
        keys = sorted({fact.header.aggregate_id for fact in self.message.facts})
        rows = await self.tx.fetch(
            OPEN,
            self.message.event_id,
            self.consumer.producer,
            self.message.subject,
            self.event_type.kind,
            keys,
        )
        self.keys = {row["id"]: Key(row["version"], row["is_behind"]) for row in rows}
        return bool(rows[0]["is_new"])

    async def _pass(self) -> None:
        """Sort the facts of the message: apply, wait, or park."""
        due: list[Any] = []
        for fact in self.message.facts:
            key, version = self.keys[fact.header.aggregate_id], fact.header.version
            if version <= key.version:
                self._park_fact(fact, "VERSION_REPEATED")
            elif version > key.version + 1:
                self.waiting.append(fact)
                key.is_behind = key.changed = True
            elif self.is_careful:
                await self._try(fact, key)
            else:
                due.append(fact)
                key.version, key.changed = version, True
        if due:
            await self.consumer.apply(self.tx, self.event_type, due)

    async def _try(self, fact: Any, key: Key) -> None:
        """Apply one fact in a part of its own; park it when it fails for good."""
        reason = await self._apply_or_reason(self.event_type, fact)
        if not reason:
            key.version, key.changed = fact.header.version, True
            return
        key.is_blocked = True
        self._park_fact(fact, reason)

    async def _apply_or_reason(self, event_type: EventType, fact: Any) -> str:
        """Apply one fact; why it cannot be applied for good, "" when it was.

        Raises:
            Exception: It failed in a way that another try may heal.
        """
        try:
            async with self.tx.savepoint():
                await self.consumer.apply(self.tx, event_type, [fact])
        except PASSING:
            raise
        except DomainError as error:
            return error.reason
        except Exception as error:
            is_ours = is_away(error, None) or sqlstate(error) in AGAIN or self.tx.is_broken
            if is_ours or self.tries < TRIES_MAX:
                raise
            return f"FAILED_{type(error).__name__}"
        return ""

    async def release(self) -> None:
        """Apply what waited and is next now, in order."""
        behind = sorted(key for key, state in self.keys.items() if state.is_behind and not state.is_blocked)
        rows = await self.tx.fetch(QUEUE, self.event_type.kind, behind) if behind else []
        left: dict[str, int] = dict.fromkeys(behind, 0)
        gone: list[tuple[str, int]] = []
        for row in rows:
            state = self.keys[row["id"]]
            if row["version"] > state.version + 1 or state.is_blocked:
                left[row["id"]] += 1
                continue
            gone.append((row["id"], row["version"]))
            if row["version"] == state.version + 1:
                await self._release_one(row, state)
            else:  # its turn passed with another event
                self.parking.append(self._parking_of(row, "VERSION_REPEATED"))
        just_now = {fact.header.aggregate_id for fact in self.waiting}
        for key in behind:
            state = self.keys[key]
            still = left[key] > 0 or key in just_now
            state.changed = state.changed or state.is_behind != still
            state.is_behind = still
        if gone:
            await self.tx.execute(LEAVE, self.event_type.kind, [key for key, _ in gone], [at for _, at in gone])

    async def _release_one(self, row: Any, state: Key) -> None:
        event_type = self.consumer.types.get(row["subject"])
        fact = event_type.fact.FromString(row["fact"]) if event_type is not None else None
        reason = "EVENT_TYPE_UNKNOWN"
        if event_type is not None:
            with remote(row["traceparent"]), process_span(row["subject"], str(row["event_id"]), 1):
                if self.is_careful:
                    reason = await self._apply_or_reason(event_type, fact)
                else:
                    await self.consumer.apply(self.tx, event_type, [fact])
                    reason = ""
        if reason:
            state.is_blocked = True
            self.parking.append(self._parking_of(row, reason))
        else:
            state.version, state.changed = row["version"], True

    async def close(self) -> None:
        """Write what was decided: waiting and parked facts, and how far each aggregate is."""
        kind = self.event_type.kind
        if self.waiting:
            await self._write_waiting(kind)
        if self.parking:
            await park(self.tx, self.consumer.producer, self.tries, self.parking)
            for one in self.parking:
                log.error(
                    "fact_parked", subject=one.subject, event_id=str(one.event_id), key=f"{kind}/{one.key}",
                    version=one.version, reason=one.reason,
                )  # fmt: skip
        changed = {key: state for key, state in self.keys.items() if state.changed}
        if changed:
            await self.tx.execute(
                ADVANCE,
                kind,
                list(changed),
                [state.version for state in changed.values()],
                [state.is_behind for state in changed.values()],
            )

    async def _write_waiting(self, kind: str) -> None:
        rows = await self.tx.fetch(
            WAIT,
            kind,
            self.message.event_id,
            self.message.subject,
            self.message.traceparent,
            [fact.header.aggregate_id for fact in self.waiting],
            [fact.header.version for fact in self.waiting],
            [fact.SerializeToString() for fact in self.waiting],
        )
        taken = {(row["id"], row["version"]) for row in rows}
        for fact in self.waiting:
            if (fact.header.aggregate_id, fact.header.version) not in taken:  # another event waits under this version
                self._park_fact(fact, "VERSION_REPEATED")

    def _park_fact(self, fact: Any, reason: str) -> None:
        self.parking.append(
            Parking(
                self.message.event_id,
                self.message.subject,
                self.event_type.kind,
                fact.header.aggregate_id,
                fact.header.version,
                fact.SerializeToString(),
                reason,
                self.message.traceparent,
            )
        )

    def _parking_of(self, row: Any, reason: str) -> Parking:
        return Parking(
            row["event_id"],
            row["subject"],
            self.event_type.kind,
            row["id"],
            row["version"],
            row["fact"],
            reason,
            row["traceparent"],
        )
