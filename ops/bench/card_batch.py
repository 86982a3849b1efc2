"""A process that issues a city's cards by the batch as the worker of the card service does, and says what it took.

`python -m ops.bench.card_batch 400000 3` with the settings of the service and `BENCH_OWNER_URL`: holders are written by
COPY, a tenth of them is served from the register, as often as there are rounds, some by a file, then ten times as many
from the register. What was written is counted, weighed, published in status lists, and written again by bare COPY into
the same tables. One line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis import transaction
from chassis.config import load
from chassis.database import Database
from chassis.files import Files
from chassis.principal import Principal
from chassis.worker import Worker
from kernel import ids
from kernel.identity import TEST_REGION, make_resident_id
from ops.bench.measure import cpu_seconds, peak_mib
from services.card.batches import ApproveBatch, CreateBatch, Source
from services.card.operations import batches, keys, publishing
from services.card.service import build, open_office
from services.card.settings import CardSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.results import BatchShown

OWNER_URL = "BENCH_OWNER_URL"
TODAY = date(2026, 7, 20)
FILE_MAX = 40_000  # rows of a file
SEED_ROWS = 4_000  # few, so that the memory of the worker is its own
SEQUENCES = 999  # persons born on one day
NAME = "测试甲"
WRITTEN = ("card", "binding", "aggregate", "outbox")  # of each card
BESIDE = ("audit", "job", "job_chunk", "card_batch", "card_batch_part")
HOLDER = (
    "person_id", "birth_date", "name_sealed", "id_no_sealed", "id_no_index", "physical_state", "physical_ref",
    "physical_sequence",
)  # fmt: skip
COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' ORDER BY attnum
"""


def _person(name: str, role: str) -> Principal:
    return Principal(
        subject=f"idp|{name}",
        client="bench",
        roles=frozenset({role}),
        acr=4,
        purpose="bench",
        natural_person=f"bench|{name}",
    )


MAKER, CHECKER = _person("maker", "CLERK"), _person("checker", "SUPERVISOR")


@dataclass
class City:
    """The database of cards and what is drawn of its holders."""

    database: Database
    owner: asyncpg.Connection[asyncpg.Record]
    settings: CardSettings
    born: int = 0
    said: dict[str, Any] = field(default_factory=dict)

    async def seed(self, count: int) -> list[str]:
        """Write holders with a physical card by COPY; of up to `FILE_MAX` the lines of a file that names them."""
        begun, lines = time.perf_counter(), []
        for first in range(0, count, SEED_ROWS):
            rows = list(self._holders(min(SEED_ROWS, count - first)))
            if count <= FILE_MAX:
                lines += [f"{NAME},{number}" for number, _ in rows]
            await self.owner.copy_records_to_table("holder", records=[row for _, row in rows], columns=HOLDER)
        await self.owner.execute("VACUUM (ANALYZE) holder")
        self.said["seed_seconds"] = self.said.get("seed_seconds", 0.0) + time.perf_counter() - begun
        return lines

    def _holders(self, count: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        sealer = self.database.sealer
        for number in range(self.born, self.born + count):
            birth = date(1900, 1, 1) + timedelta(days=number // SEQUENCES)
            id_no, person = make_resident_id(TEST_REGION, birth, number % SEQUENCES), ids.new_id()
            yield (
                id_no,
                (
                    person,
                    birth,
                    sealer.seal("holder", "name", person, NAME),
                    sealer.seal("holder", "id_no", person, id_no),
                    sealer.blind_index("id_no", id_no),
                    "NORMAL",
                    "PHYS-0001",
                    1,
                ),
            )
        self.born += count

    async def size(self) -> int:
        """Bytes on disk of what a batch writes, with indexes."""
        tables = ", ".join(f"pg_total_relation_size('{name}')" for name in WRITTEN + BESIDE)
        return int(await self.owner.fetchval(f"SELECT {tables.replace(', ', ' + ')}"))

    async def server_seconds(self) -> float:
        """Time that the processes of the server have spent on the processor; they run on this machine."""
        pids = [row["pid"] for row in await self.owner.fetch("SELECT pid FROM pg_stat_activity")]
        return sum(map(cpu_seconds, pids))

    async def step(self, work: Callable[[Transaction], Awaitable[Any]], who: Principal = MAKER) -> Any:
        """One step of a person."""
        return await transaction.run(self.database, work, principal=who, today=TODAY, method="bench")

    async def issue(self, worker: Worker, data: bytes | None = None) -> dict[str, float]:
        """One batch, from its draft to its last card: seconds of preparing and of issuing, processor time, memory."""
        command = CreateBatch(Source.REGISTER)
        files = Files(self.settings.files_dir, self.settings.keys_dir)
        if data is not None:
            ref = await files.put(data)
            command = CreateBatch(Source.FILE, ref.upload_id, bytes.fromhex(ref.digest))
        begun = time.perf_counter()
        made: BatchShown = await self.step(lambda tx: batches.create(tx, command, files))
        await _work(worker)
        batch_id: UUID = made.batch.batch_id
        found: BatchShown = await self.step(lambda tx: batches.shown(tx, batch_id))
        digest = found.batch.digest or b""
        prepared, spent, server = time.perf_counter(), time.process_time(), await self.server_seconds()
        before = await self.size()
        await self.step(lambda tx: batches.approve(tx, ApproveBatch(batch_id, digest)), CHECKER)
        await _work(worker)
        seconds = time.perf_counter() - prepared
        found = await self.step(lambda tx: batches.shown(tx, batch_id))
        job = found.job
        if job.state != "DONE" or job.done_count != found.batch.row_count or job.rejected_count or job.skipped_count:
            raise RuntimeError(f"the batch did not issue every card: {job.state} {job.message}")
        return {
            "rows": job.done_count,
            "prepare_seconds": prepared - begun,
            "seconds": seconds,
            "processor": time.process_time() - spent,
            "server": await self.server_seconds() - server,
            "bytes": await self.size() - before,
            "memory_mib": peak_mib(os.getpid()),
        }


async def main(size: int, rounds: int) -> None:
    """Run and say."""
    settings = load(CardSettings, service="card")
    database = Database(settings)
    owner = await asyncpg.connect(os.environ[OWNER_URL], command_timeout=900)
    city = City(database, owner, settings)
    office = open_office(settings)
    await city.step(lambda tx: keys.register(tx, office.keys))
    worker = Worker(database, list(build(settings).jobs))
    small = max(1_000, size // 10)
    city.said["small"] = []
    for _ in range(rounds):
        await city.seed(small)
        city.said["small"].append(await city.issue(worker))
    lines = await city.seed(min(FILE_MAX, small))
    city.said["file"] = await city.issue(worker, "\n".join(["name,id_no", *lines]).encode())
    await city.seed(size)
    city.said["large"] = await city.issue(worker)
    city.said["cards"] = await _counted(owner, city.born)
    city.said["tables"] = {
        name: await owner.fetchval(f"SELECT pg_table_size('{name}')") / city.said["cards"] for name in WRITTEN
    }
    city.said["indexes"] = {
        row["relname"]: row["size"] / city.said["cards"]
        for row in await owner.fetch(
            "SELECT relname, pg_relation_size(indexrelid) AS size FROM pg_index JOIN pg_class ON oid = indexrelid"
            " WHERE indrelid = ANY($1::regclass[]) AND pg_relation_size(indexrelid) > 65536",
            list(WRITTEN),
        )
    }
    await owner.execute("UPDATE card SET state = 'LOCKED' WHERE hashtext(card_id::text) % 100 = 0")
    begun = time.perf_counter()
    lists = await transaction.run(
        database, lambda tx: publishing.publish(tx, office), principal=MAKER, today=TODAY, bulk=True
    )
    city.said |= {"lists": len(lists), "lists_seconds": time.perf_counter() - begun}
    await database.close()
    spent = await city.server_seconds()
    city.said["copy"] = await _copied(owner)
    city.said["copy"]["server"] = await city.server_seconds() - spent
    await owner.close()
    sys.stdout.write(f"{json.dumps(city.said)}\n")


async def _work(worker: Worker) -> None:
    """Let the worker work with all its hands until there is nothing to do."""

    async def work() -> None:
        while await worker.run_one():
            pass

    await worker.run_one()  # plans, where there is something to plan
    await asyncio.gather(*(work() for _ in range(worker.side_by_side)))
    await work()  # ends the job


async def _counted(owner: asyncpg.Connection[asyncpg.Record], wanted: int) -> int:
    """Cards, numbers, places, aggregates and announced cards must be as many as holders."""
    row = await owner.fetchrow(
        """
        SELECT (SELECT count(*) FROM card), (SELECT count(DISTINCT person_id) FROM card),
          (SELECT count(DISTINCT issue_no) FROM card),
          (SELECT count(*) FROM binding JOIN card USING (card_id, reference)),
          (SELECT count(*) FROM aggregate WHERE kind = 'card'),
          (SELECT sum(cardinality(keys)) FROM outbox WHERE subject = 'hrss.card.v1.CardIssued'),
          (SELECT sum(issued) FROM card_batch_part)
        """
    )
    if row is None or set(row.values()) != {wanted}:
        raise RuntimeError(f"counts differ from {wanted}: {row}")
    return wanted


async def _copied(owner: asyncpg.Connection[asyncpg.Record]) -> dict[str, float]:
    """Write the same rows into the same tables by COPY alone, one after the other; how many cards a second."""
    count = await owner.fetchval("SELECT count(*) FROM card")
    columns = {name: [row["attname"] for row in await owner.fetch(COLUMNS, name)] for name in WRITTEN}
    with TemporaryDirectory(prefix="hrss-copy-") as folder:
        for name in WRITTEN:
            await owner.copy_from_table(name, output=Path(folder, name), format="binary", columns=columns[name])
        await owner.execute("TRUNCATE card, binding, aggregate, outbox CASCADE")
        begun = time.perf_counter()
        for name in WRITTEN:
            await owner.copy_to_table(name, source=Path(folder, name), format="binary", columns=columns[name])
        seconds = time.perf_counter() - begun
    if await owner.fetchval("SELECT count(*) FROM binding JOIN card USING (card_id)") != count:
        raise RuntimeError("COPY wrote other rows")
    return {"seconds": seconds, "rate": count / seconds}


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:3])))
