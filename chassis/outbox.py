"""The outbox: facts wait here, committed with the rows they tell of, until the broker has them.

The outbox is the record and the stream only the courier: rows stay 30 days and `republish` restores any stream from
them. One relay at a time (an advisory lock of the database) takes unpublished rows; rows that share a key go in
single file, others side by side; a row is marked after the broker acknowledged it. A publish that failed may still
have happened, so it is repeated with the same event id and the consumer's inbox decides.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis import crash, lanes
from chassis.letters import Letter, gathered
from chassis.logs import get_logger
from chassis.spans import publish_span
from chassis.telemetry import remote, traceparent
from hrss.type.v1 import calendar_pb2
from kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    import asyncpg

    from chassis.bus import Bus
    from chassis.database import Database
    from chassis.facts import EventType

log = get_logger(__name__)

FACTS_MAX = 500  # per row; a consumer applies a row in one transaction, which should stay well below a second
BYTES_MAX = 512 * 1024  # half of what NATS takes, so that headers never decide
BATCH_ROWS = 200
SIDE_BY_SIDE = 64  # publishes in flight; the broker flushes each, so more would only queue there
BATCH_SECONDS = 4.0  # with the timeout of one publish still below the database's limit for idle transactions
PACE_SECONDS = 0.05  # between the ends of two batches: a lone row goes at once, in a stream the next ones gather
POLL_SECONDS = 0.1  # rows of other processes of this service are found by looking
BREAKER_SECONDS = 1.0  # how long nothing is tried after a failed publish
DRAIN_SECONDS = 2.0
PURGE_SECONDS = 600.0  # how often rows past their time are looked for; the function takes a few thousand at once
LEADER_LOCK = 0x6F75_7462  # "outb"
_FACT = b"\x0a"  # what stands before each fact: field 1, with a length
_VARINT = 128

INSERT = """
    INSERT INTO outbox (event_id, epoch, subject, keys, payload, traceparent)
    SELECT said.event_id, (SELECT max(epoch) FROM epoch), said.subject, string_to_array(said.keys, chr(10)),
           said.payload, ${0}::text
    FROM unnest(${1}::uuid[], ${2}::text[], ${3}::text[], ${4}::bytea[]) AS said (event_id, subject, keys, payload)
"""
COLUMNS = "seq, event_id, epoch, subject, keys, payload, traceparent"
ANY_UNPUBLISHED = "SELECT EXISTS (SELECT FROM outbox WHERE published IS NULL)"
UNPUBLISHED = f"SELECT {COLUMNS} FROM outbox WHERE published IS NULL ORDER BY seq LIMIT $1"  # noqa: S608 - constant
MARK = "UPDATE outbox SET published = clock_timestamp() WHERE seq = ANY($1::bigint[])"
PUBLISHED = f"""
    SELECT {COLUMNS} FROM outbox
    WHERE published IS NOT NULL AND seq > $1 AND seq <= $2 AND ($3::timestamptz IS NULL OR created >= $3)
      AND ($4::text IS NULL OR $4 = ANY(keys))
    ORDER BY seq LIMIT $5
"""  # noqa: S608 - constant
STATUS = """
    SELECT count(*) AS pending, coalesce(extract(epoch FROM clock_timestamp() - min(created)), 0)::float8 AS oldest
    FROM outbox WHERE published IS NULL
"""


# -- the writing side, inside the transaction


@dataclass(frozen=True, slots=True)
class Emitted:
    """A fact that a transaction will say."""

    event_type: EventType
    fact: Any
    key: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Many:
    """Facts of one type that a transaction will say, each of another aggregate that it says nothing else of."""

    event_type: EventType
    facts: Sequence[Any]
    ids: Sequence[str]

    def by_id(self) -> Iterable[tuple[str, Any]]:
        """Each fact with its aggregate."""
        return zip(self.ids, self.facts, strict=True)


@dataclass(slots=True)
class Row:
    """A row of the outbox: facts of one type."""

    event_type: EventType
    facts: list[Any] = field(default_factory=list)
    keys: dict[str, None] = field(default_factory=dict)  # in order, each once
    size: int = 0
    event_id: uuid.UUID = field(default_factory=uuid.uuid4)  # random: ids are never reused, also after a restore
    parts: list[bytes] = field(default_factory=list)  # the facts as bytes, where they were written already

    @property
    def payload(self) -> bytes:
        """The event as it travels.

        An event has one field, its facts with the number 1 (`chassis.facts` sees to it), so its bytes are those of the
        facts, each after its mark and length: making the message would copy every fact once more.
        """
        found: list[bytes] = []
        for part in self.parts or [fact.SerializeToString() for fact in self.facts]:
            found += (_FACT, _varint(len(part)), part)
        return b"".join(found)


def emitted(event_type: EventType, fact: Any, today: date) -> Emitted:
    """Check a fact and fill in its business day."""
    header = fact.header
    if not header.aggregate_id:
        raise ValueError(f"{event_type.name}: a fact needs the id of its aggregate")
    if not header.HasField("business_date"):
        header.business_date.CopyFrom(calendar_pb2.Date(year=today.year, month=today.month, day=today.day))
    return Emitted(event_type, fact, (event_type.kind, header.aggregate_id))


def many(event_type: EventType, facts: Sequence[Any], today: date) -> Many:
    """Check facts of one type, each of another aggregate, and fill in their business day."""
    day = calendar_pb2.Date(year=today.year, month=today.month, day=today.day)
    found: list[str] = []
    for fact in facts:
        header = fact.header
        found.append(header.aggregate_id)
        if not header.HasField("business_date"):
            header.business_date.CopyFrom(day)
    if not all(found) or len(set(found)) != len(found) or any(type(one) is not event_type.fact for one in facts):
        raise ValueError(f"{event_type.name}: facts said together are of one type and of an aggregate each")
    return Many(event_type, facts, found)


def rows_of_many(group: Many) -> list[Row]:
    """The rows of facts that share no aggregate with any other: cut by number and size, with no order to keep."""
    kind = group.event_type.kind
    made: list[Row] = []
    for key, fact in group.by_id():
        part = fact.SerializeToString()
        if not made or len(made[-1].parts) >= FACTS_MAX or made[-1].size + len(part) > BYTES_MAX:
            made.append(Row(group.event_type))
        row = made[-1]
        row.parts.append(part)
        row.keys[f"{kind}/{key}"] = None
        row.size += len(part)
    return made


def _varint(number: int) -> bytes:
    """A length as protobuf writes it."""
    if number < _VARINT:
        return bytes((number,))
    return bytes((number % _VARINT | _VARINT,)) + _varint(number // _VARINT)


def rows(facts: Sequence[Emitted]) -> list[Row]:
    """Group facts by type, keeping the order of each key over the rows."""
    made: list[Row] = []
    open_row: dict[str, int] = {}  # where the row of a type stands that still takes facts
    last_row: dict[str, int] = {}  # where a key was put last
    for one in facts:
        key, size = one.event_type.key(one.fact), one.fact.ByteSize()
        at = open_row.get(one.event_type.name, -1)
        if at < last_row.get(key, 0) or len(made[at].facts) >= FACTS_MAX or made[at].size + size > BYTES_MAX:
            at = open_row[one.event_type.name] = len(made)
            made.append(Row(one.event_type))
        row = made[at]
        row.facts.append(one.fact)
        row.keys[key] = None
        row.size += size
        last_row[key] = at
    return made


def parameters(made: Sequence[Row]) -> tuple[Any, ...]:
    """The parameters of `INSERT`."""
    return (
        traceparent(),
        [row.event_id for row in made],
        [row.event_type.name for row in made],
        ["\n".join(row.keys) for row in made],
        [row.payload for row in made],
    )


# -- the sending side


class Relay:
    """Carries rows from the outbox to the broker; each process of a service may run one."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._closed_until = 0.0
        self._purge_at = time.monotonic() + PURGE_SECONDS
        if database.settings.is_off("outbox"):
            database.publish_directly = self._publish_directly

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until told to stop, then hand over what is left."""
        while not stop.is_set():
            try:
                count = await self.relay_batch()
                if count == 0:
                    await self._purge()
                    await self._wait()
                elif count < BATCH_ROWS:
                    await asyncio.sleep(PACE_SECONDS)
            except Unavailable:
                await asyncio.sleep(BREAKER_SECONDS)
            except Exception:
                log.exception("relay_failed")
                await asyncio.sleep(BREAKER_SECONDS)
        await self._drain()

    async def relay_batch(self) -> int:
        """Publish one batch, if nobody else does; how many rows were taken off."""
        if not self._bus.is_connected or time.monotonic() < self._closed_until:
            return 0
        self._database.outbox_written.clear()
        async with self._database.connection() as connection:
            if not await connection.fetchval(ANY_UNPUBLISHED):  # the usual answer, in one round trip instead of four
                return 0
            async with connection.transaction():
                # The lock is a statement of its own: rows must be read after it is held, not with an older view.
                if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LEADER_LOCK):
                    return 0
                found = await connection.fetch(UNPUBLISHED, BATCH_ROWS)
                done = await self._publish_all(found)
                crash.at("after_publish_before_mark")
                if done:
                    await connection.execute(MARK, done)
        return len(done)

    async def _publish_all(self, found: Iterable[asyncpg.Record]) -> list[int]:
        done: list[int] = []
        until = time.monotonic() + BATCH_SECONDS

        async def step(letter: Letter) -> bool:
            if time.monotonic() > until or time.monotonic() < self._closed_until:
                return False
            first = letter.rows[0]
            try:
                if len(letter.rows) == 1:
                    await _publish(self._bus, first)
                else:
                    await self._bus.publish(first["subject"], letter.body, letter.headers())
            except Unavailable as error:
                self._closed_until = time.monotonic() + BREAKER_SECONDS
                event_id = str(first["event_id"])
                log.warning("publish_failed", subject=first["subject"], event_id=event_id, why=error.reason)
                return False
            done.extend(row["seq"] for row in letter.rows)
            return True

        await lanes.go(gathered(found), lambda letter: letter.keys, step, side_by_side=SIDE_BY_SIDE)
        return done

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._database.outbox_written.wait()
        except TimeoutError:
            return
        if not self._bus.is_connected or time.monotonic() < self._closed_until:
            await asyncio.sleep(POLL_SECONDS)  # what was written stays; no need to spin on it

    async def _purge(self) -> None:
        """Remove rows that are past their time, now and then and only when there is nothing to relay."""
        if time.monotonic() < self._purge_at:
            return
        async with self._database.connection() as connection:
            count = await connection.fetchval("SELECT purge_expired() + purge_unsealed()")
        if count:
            log.info("expired_rows_purged", count=count)
        else:
            self._purge_at = time.monotonic() + PURGE_SECONDS

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while await self.relay_batch():
                    pass
        except (TimeoutError, Unavailable):
            log.info("relay_stopped_with_rows_left")

    async def _publish_directly(self, row: Row) -> None:
        record = {
            "event_id": row.event_id,
            "epoch": 1,
            "subject": row.event_type.name,
            "payload": row.payload,
            "traceparent": traceparent(),
        }
        await _publish(self._bus, record)


async def republish(
    database: Database,
    bus: Bus,
    *,
    since: datetime | None = None,
    sequence: tuple[int, int] | None = None,
    key: str | None = None,
) -> int:
    """Publish again what was published, with the same event ids, in order; how many rows.

    Restores a stream that lost messages, also an empty one. Consumers that have a fact acknowledge it again.

    Args:
        database: Whose outbox.
        bus: Where to.
        since: Only rows written at or after this instant.
        sequence: Only rows of this range of `seq`, both ends included.
        key: Only rows with facts of this aggregate, as "person/per_…".
    """
    first, last = sequence or (1, 2**63 - 1)
    total, after = 0, first - 1
    while True:
        async with database.connection() as connection:
            found = await connection.fetch(PUBLISHED, after, last, since, key, BATCH_ROWS)
        if not found:
            return total
        # Another message id than the first time: the stream forgets a message sooner than its id.
        suffix = f"/{uuid.uuid4().hex[:8]}"

        async def step(row: asyncpg.Record, suffix: str = suffix) -> bool:
            await _publish(bus, row, suffix)
            return True

        await lanes.go(found, lambda row: row["keys"], step, side_by_side=SIDE_BY_SIDE)
        total, after = total + len(found), found[-1]["seq"]


@dataclass(frozen=True, slots=True)
class Status:
    """How far the relay is behind."""

    pending: int
    oldest_seconds: float


async def status(database: Database) -> Status:
    """How many rows are not published and how old the oldest of them is."""
    async with database.connection() as connection:
        row = await connection.fetchrow(STATUS)
    assert row is not None
    return Status(row["pending"], row["oldest"])


async def _publish(bus: Bus, row: Any, suffix: str = "") -> None:
    """Publish one row as a span between the one that wrote it and the one that will take it."""
    event_id = str(row["event_id"])
    with remote(row["traceparent"]), publish_span(row["subject"], event_id):
        headers = {"Nats-Msg-Id": event_id + suffix, "Hrss-Epoch": str(row["epoch"])}
        if parent := traceparent():
            headers["traceparent"] = parent
        await bus.publish(row["subject"], row["payload"], headers)
