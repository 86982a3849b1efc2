"""The sealer: numbers and chains audit rows within a second of their commit, signs the chain, hands signatures out.

It works beside the commits, not in them: a chain inside the transaction lets all commits wait for each other. Each
process runs one; the lock on the row of `audit_sealer` lets one at a time do it, and primary keys stand behind that.

Rows appear out of the order of their `seq`: one that was drawn early may commit late. So the sealer keeps a frontier
and the gaps below it. A row that appears in a gap is sealed when it appears; a gap is closed when every transaction
that was alive some time after it was seen has ended: then its numbers belong to nobody.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chassis import audit_chain, audit_keys, audit_outside, clocks, crash, metrics
from chassis.audit_outside import HASHES, Outside
from chassis.logs import get_logger
from kernel.errors import Unavailable

if TYPE_CHECKING:
    import asyncpg

    from chassis.bus import Bus
    from chassis.database import Database

log = get_logger(__name__)

POLL_SECONDS = 0.5  # a row waits half of this on the average
BATCH_ROWS = 1000  # a few milliseconds of hashing, so that calls in the same process still get their turn
GAP_SECONDS = 10.0  # longer than it takes from drawing a number to having a transaction id
AWAY_SECONDS = 1.0
FAILED_SECONDS = 5.0
BROKEN_SECONDS = 30.0
HAND_OUT_SECONDS = 10.0  # how often a process looks for checkpoints of others
LAST_SECONDS = 2.0  # of the end, for what is still open

ANY = """
    SELECT gaps <> '[]'::jsonb OR EXISTS (SELECT FROM audit WHERE seq > frontier)
        OR (SELECT max(number) FROM audit_seal) > (SELECT coalesce(max(last), 0) FROM audit_checkpoint)
    FROM audit_sealer
"""
TAKE = "SELECT frontier, gaps::text FROM audit_sealer FOR UPDATE SKIP LOCKED"
HEAD = """
    SELECT coalesce(seal.number, 0) AS number, seal.hash, coalesce(signed.number, 0) AS checkpoint,
           coalesce(signed.last, 0) AS signed, signed.body, signed.signature,
           extract(epoch FROM clock_timestamp() - signed.created)::float8 AS age,
           extract(epoch FROM clock_timestamp())::float8 AS now,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS newest
    FROM (SELECT) AS one
    LEFT JOIN (SELECT number, hash FROM audit_seal ORDER BY number DESC LIMIT 1) AS seal ON true
    LEFT JOIN (
        SELECT number, last, body, signature, created FROM audit_checkpoint ORDER BY number DESC LIMIT 1
    ) AS signed ON true
"""
# Numbers that the sequence has not drawn belong to nobody, whatever stands in the table.
NEW = f"""
    SELECT seq, {audit_chain.TEXT} AS text FROM audit
    WHERE seq > $1 AND seq <= (SELECT last_value FROM audit_seq_seq) ORDER BY seq LIMIT $2
"""  # noqa: S608 - constant text
LATE = f"""
    SELECT seq, {audit_chain.TEXT} AS text
    FROM unnest($1::bigint[], $2::bigint[]) AS gap (low, high) JOIN audit ON seq BETWEEN gap.low AND gap.high
    ORDER BY seq LIMIT $3
"""  # noqa: S608 - constant text
MOVE = "UPDATE audit_sealer SET frontier = $1, gaps = $2::text::jsonb"
SIGN = "INSERT INTO audit_checkpoint (number, last, body, signature) VALUES ($1, $2, $3, $4)"
STATUS = """
    SELECT waiting.count, coalesce(extract(epoch FROM clock_timestamp() - waiting.since), 0)::float8 AS oldest,
           coalesce((SELECT max(number) FROM audit_seal), 0) AS sealed,
           coalesce(signed.last, 0) AS signed, extract(epoch FROM clock_timestamp() - signed.created)::float8 AS age
    FROM audit_sealer
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, min(at) AS since
        FROM (SELECT at FROM audit WHERE seq > frontier ORDER BY seq LIMIT 100000) AS rows
    ) AS waiting
    LEFT JOIN (SELECT last, created FROM audit_checkpoint ORDER BY number DESC LIMIT 1) AS signed ON true
"""


class ChainBroken(Exception):  # noqa: N818 - read as a sentence
    """The seals are fewer than a checkpoint signed: somebody removed some. Nothing is sealed on top of that."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far the sealer is.

    Args:
        unsealed: Rows that are not chained yet; counted up to 100,000.
        oldest_seconds: Age of the oldest of them.
        unsigned: Rows that are chained and that no checkpoint signs yet.
        checkpoint_age_seconds: Since the last checkpoint; None where there is none.
    """

    unsealed: int
    oldest_seconds: float
    unsigned: int
    checkpoint_age_seconds: float | None


async def status(database: Database) -> Status:
    """How far the sealer of a database is.

    Raises:
        Unavailable: DATABASE_UNAVAILABLE.
    """
    async with database.connection() as connection:
        row = await connection.fetchrow(STATUS)
    assert row is not None
    return Status(row["count"], row["oldest"], max(0, row["sealed"] - row["signed"]), row["age"])


def show(found: Status) -> None:
    """Bring the gauges up to date."""
    metrics.AUDIT_UNSEALED.set(found.unsealed)
    metrics.AUDIT_UNSEALED_AGE.set(found.oldest_seconds)
    metrics.AUDIT_UNSIGNED.set(found.unsigned)
    if found.checkpoint_age_seconds is not None:
        metrics.AUDIT_CHECKPOINT_AGE.set(found.checkpoint_age_seconds)


@dataclass(slots=True)
class Gap:
    """Numbers below the frontier whose rows were not there.

    Args:
        low: The first.
        high: The last.
        since: When it was seen, by the database's clock in seconds.
        horizon: Once every transaction below this id has ended, nobody can fill it any more; 0 before that is set.
    """

    low: int
    high: int
    since: float
    horizon: int = 0


@dataclass(slots=True)
class AuditSealer:
    """Seals the audit of one service; each of its processes may run one."""

    database: Database
    bus: Bus | None = None
    batch_rows: int = BATCH_ROWS
    every_seconds: float = audit_chain.EVERY_SECONDS
    gap_seconds: float = GAP_SECONDS
    _key: audit_keys.AuditKey | None = field(default=None, init=False)
    _outside: Outside | None = field(default=None, init=False)
    _look_at: float = field(default=0.0, init=False)  # when checkpoints of other processes are looked for

    async def run(self, stop: asyncio.Event) -> None:
        """Seal until told to stop; then sign what is sealed, so that nothing lies unsigned while nothing runs."""
        while not stop.is_set():
            pause = POLL_SECONDS
            try:
                if await self.seal() >= self.batch_rows:
                    pause = 0.0
                await self.hand_out()
            except Unavailable:
                pause = AWAY_SECONDS
            except ChainBroken:
                log.critical("audit_chain_broken")
                audit_outside.tell_broken()
                pause = BROKEN_SECONDS
            except Exception:
                log.exception("audit_sealer_failed")
                pause = FAILED_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await stop.wait()
            except TimeoutError:
                continue
        await self._last()

    async def seal(self, *, is_last: bool = False) -> int:
        """Chain one batch of rows, and sign when it is time; how many rows. Nothing where another is at it.

        Raises:
            ChainBroken: Seals are missing.
            Unavailable: DATABASE_UNAVAILABLE.
        """
        async with self.database.connection() as connection:
            if not await connection.fetchval(ANY):  # the usual answer, in one round trip
                return 0
            async with connection.transaction():
                taken = await connection.fetchrow(TAKE)
                if taken is None:
                    return 0
                head = await connection.fetchrow(HEAD)
                assert head is not None
                if head["number"] < head["signed"]:
                    raise ChainBroken
                count = await self._chain(connection, taken, head)
                crash.at("audit_sealed")
                number = head["number"] + count
                is_due = number > head["signed"] and (
                    is_last
                    or head["age"] is None
                    or head["age"] >= self.every_seconds
                    or number - head["signed"] >= audit_chain.ROWS_MAX
                )
                if is_due:
                    await self._sign(connection, head, number)
        if is_due:
            crash.at("audit_signed")
            self._look_at = 0.0
        return count

    async def hand_out(self) -> None:
        """Write checkpoints that are not outside yet to the file and to the stream.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE.
        """
        if self._outside is None:
            self._outside = Outside(self.database, self.bus)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + HAND_OUT_SECONDS
            await self._outside.hand_out()

    async def _chain(
        self, connection: asyncpg.Connection[asyncpg.Record], taken: asyncpg.Record, head: asyncpg.Record
    ) -> int:
        """Chain what appeared in gaps, then what is new; move the frontier."""
        frontier: int = taken["frontier"]
        gaps = [Gap(*one) for one in json.loads(taken["gaps"])]
        room = min(self.batch_rows, max(1, audit_chain.ROWS_MAX - (head["number"] - head["signed"])))
        rows: list[asyncpg.Record] = []
        if gaps:
            rows = await connection.fetch(LATE, [one.low for one in gaps], [one.high for one in gaps], room)
        late = len(rows)
        if late < room:
            rows += await connection.fetch(NEW, frontier, room - late)
        before = json.dumps([_as_json(one) for one in gaps])
        # A full batch of late rows may have more behind it: nothing is closed before all of them were seen.
        gaps = _narrowed(gaps, [row["seq"] for row in rows[:late]], head, self.gap_seconds, is_whole=late < room)
        gaps += _between(frontier, [row["seq"] for row in rows[late:]], head["now"])
        after = json.dumps([_as_json(one) for one in gaps])
        if rows:
            function = audit_chain.function_of(self.database.settings.card_crypto_profile)
            previous = head["hash"] or audit_chain.genesis(self.database.settings.service)
            first: int = head["number"] + 1
            hashes = audit_chain.links(previous, first, (row["text"] for row in rows), function)
            places = enumerate(zip(rows, hashes, strict=True), first)
            records = [(number, row["seq"], one) for number, (row, one) in places]
            await connection.copy_records_to_table(
                "audit_seal",
                records=records,
                columns=("number", "audit_seq", "hash"),
            )
        if rows or before != after:
            reached = rows[-1]["seq"] if len(rows) > late else frontier
            await connection.execute(MOVE, reached, after)
        return len(rows)

    async def _sign(self, connection: asyncpg.Connection[asyncpg.Record], head: asyncpg.Record, last: int) -> None:
        settings = self.database.settings
        if self._key is None:
            self._key = audit_keys.load(settings.keys_dir, settings.service)
        first = head["signed"] + 1
        hashes = [row["hash"] for row in await connection.fetch(HASHES, first, last)]
        if len(hashes) != last - first + 1:
            raise ChainBroken
        previous = audit_chain.read(head["body"], head["signature"]).digest if head["body"] else b""
        number = head["checkpoint"] + 1
        body = audit_chain.body_of(
            settings.service, number, first, hashes, previous, clocks.now(), self._key.key_id
        )  # fmt: skip
        await connection.execute(SIGN, number, last, body, self._key.sign(body))

    async def _last(self) -> None:
        """Seal and sign what is still open, as far as the time goes."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                while await self.seal(is_last=True) >= self.batch_rows:
                    pass
                self._look_at = 0.0
                await self.hand_out()
        except (Unavailable, TimeoutError):
            log.info("audit_sealer_stopped_with_rows_left")
        except Exception:
            log.exception("audit_sealer_failed")


def _narrowed(
    gaps: list[Gap], found: list[int], head: asyncpg.Record, gap_seconds: float, *, is_whole: bool
) -> list[Gap]:
    """What is left of the gaps when these rows have appeared and some can no longer be filled."""
    left: list[Gap] = []
    for gap in gaps:
        low = gap.low
        for seq in found:
            if gap.low <= seq <= gap.high:
                if low < seq:
                    left.append(Gap(low, seq - 1, gap.since, gap.horizon))
                low = seq + 1
        if low <= gap.high:
            left.append(Gap(low, gap.high, gap.since, gap.horizon))
    open_still = []
    for gap in left:
        if gap.horizon:
            if is_whole and head["oldest"] >= gap.horizon:
                continue
        elif head["now"] - gap.since >= gap_seconds:
            gap.horizon = head["newest"]
        open_still.append(gap)
    return open_still


def _between(frontier: int, found: list[int], now: float) -> list[Gap]:
    """The gaps between the frontier and these rows."""
    gaps = []
    for seq in found:
        if seq > frontier + 1:
            gaps.append(Gap(frontier + 1, seq - 1, now))
        frontier = seq
    return gaps


def _as_json(gap: Gap) -> list[float]:
    return [gap.low, gap.high, gap.since, gap.horizon]
