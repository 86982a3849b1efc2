"""A process that a test lets die at a crash point: `python -m tests.chassis.victim WHAT`, settings on its input."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.audit_sealer import AuditSealer
from chassis.bus import Bus
from chassis.config import Settings
from chassis.database import Database
from chassis.inbox import ConsumerLoop
from chassis.jobs import Chunk, ChunkResult, Job, JobKind
from chassis.jobs import start as start_job
from chassis.once import RequestKey, once
from chassis.outbox import Relay
from chassis.timekeeper import Timekeeper
from chassis.timetable import Entry, daily
from chassis.worker import Worker
from kernel.calendar import SHANGHAI
from tests.chassis.demo import CLERK, TODAY, a_consumer, written

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction


async def command(database: Database) -> None:
    """Write one row and say one fact, under one request id."""

    async def work(tx: Transaction) -> bytes:
        await tx.execute("INSERT INTO note (id) VALUES ('a')")
        tx.emit(written("a"))
        return b"done"

    await once(database, RequestKey("app|li", "/demo/Write", "r-1", b"body"), work, principal=CLERK, today=TODAY)


async def relay(database: Database) -> None:
    """Publish what is in the outbox."""
    bus = Bus(database.settings.nats_url, "enrollment")
    await bus.start()
    await bus.wait_connected(10)
    await Relay(database, bus).relay_batch()


async def consumer(database: Database) -> None:
    """Take what is in the stream."""
    bus = Bus(database.settings.nats_url, "benefits")
    await bus.start()
    await bus.wait_connected(10)
    await ConsumerLoop(database, bus, a_consumer()).run(asyncio.Event())


async def count(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
    """A chunk that writes one row."""
    await tx.execute("INSERT INTO stroke (note, version, value) VALUES ('chunk', $1, 1)", chunk.number)
    return ChunkResult(done=1)


async def jobs(database: Database) -> None:
    """Work on what jobs there are."""
    worker = Worker(database, [JobKind("count", count)], lease_seconds=0.2)
    while await worker.run_one():
        pass


async def audit(database: Database) -> None:
    """Seal and sign what there is, and hand it out."""
    sealer = AuditSealer(database)
    await sealer.seal(is_last=True)
    await sealer.hand_out()


async def a_night(database: Database) -> None:
    """Start what the timetable owes, and work on it."""

    async def start(tx: Transaction) -> UUID:
        return await start_job(tx, "count", chunks=[{}])

    entry = Entry("night", "夜间", "At night", daily("02:00"), start)
    keeper = Timekeeper(database, [entry], now=lambda: datetime(2025, 11, 24, 3, tzinfo=SHANGHAI))
    await keeper.declare()
    await keeper.look()
    await jobs(database)
    await keeper.look()


async def main(what: str) -> None:
    """Do it, then leave as if nothing had been armed."""
    database = Database(Settings.model_validate_json(sys.stdin.read()))
    known = {
        "command": command,
        "relay": relay,
        "consumer": consumer,
        "jobs": jobs,
        "audit": audit,
        "timetable": a_night,
    }
    await known[what](database)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
