"""A process that adjusts a seeded city of pensioners as the worker of benefits does, and says its time and memory.

`python -m ops.bench.benefit_jobs 2026`, with the settings of the service: dry run, approval, run and reversal of the
year's adjustment by the amounts of the demonstration; one line of JSON. What was reversed can be adjusted again. With
`2026 stands` it is not reversed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import date
from typing import TYPE_CHECKING, Any

from chassis import jobs, transaction
from chassis.config import Settings, load
from chassis.database import Database
from chassis.principal import Principal
from chassis.worker import Worker
from ops.bench.measure import peak_mib
from services.benefits.adjusting import AmountsSource
from services.benefits.adjusting_commands import CreateAdjustment, Reverse
from services.benefits.commands import Approve
from services.benefits.operations import adjusting
from services.benefits.service import build, policy_of_benefits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.store.adjusting import Run

TODAY = "BENCH_TODAY"  # variable with the business day


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


async def main(year: int, *, stands: bool = False) -> None:
    """The steps of the people, with the jobs between them; an adjustment that stands is not reversed."""
    settings = load(Settings, service="benefits")
    database = Database(settings)
    await database.ping()
    today = date.fromisoformat(os.environ[TODAY])
    worker = Worker(database, build(settings).jobs)
    policy = policy_of_benefits(settings)

    async def step(work: Callable[[Transaction], Awaitable[Run]], principal: Principal = MAKER) -> Run:
        return await transaction.run(database, work, principal=principal, today=today, method="bench")

    run = await step(lambda tx: adjusting.create(tx, CreateAdjustment(year, AmountsSource.DEMO), policy))
    run_id = run.adjustment_id
    said: dict[str, Any] = {}
    await step(lambda tx: adjusting.dry_run(tx, run_id))
    said["dry_run"] = await _worked(database, worker, today, run_id)
    digest = (await step(lambda tx: adjusting.found(tx, run_id))).digest or b""
    await step(lambda tx: adjusting.approve(tx, Approve(run_id, digest)), CHECKER)
    await step(lambda tx: adjusting.start(tx, run_id))
    said["run"] = await _worked(database, worker, today, run_id)
    done = await step(lambda tx: adjusting.found(tx, run_id))
    said["as_looked_at"] = done.result == done.impact
    if not stands:
        for who in (MAKER, CHECKER):
            await step(lambda tx: adjusting.reverse(tx, Reverse(run_id, digest, "bench")), who)
        said["reversal"] = await _worked(database, worker, today, run_id)
    said["adjustment_id"] = str(run_id)
    said["memory_mib"] = peak_mib(os.getpid())
    sys.stdout.write(f"{json.dumps(said)}\n")
    await database.close()


async def _worked(database: Database, worker: Worker, today: date, run_id: UUID) -> dict[str, Any]:
    """Let the job of a step run to its end, as many chunks side by side as the worker has hands."""
    begun, spent = time.perf_counter(), time.process_time()

    async def work() -> None:
        while await worker.run_one():
            pass

    await worker.run_one()  # plans
    await asyncio.gather(*(work() for _ in range(worker.side_by_side)))
    await work()  # ends the job
    seconds = time.perf_counter() - begun

    async def show(tx: Transaction) -> jobs.Job:
        run = await adjusting.found(tx, run_id)
        assert run.job_id is not None
        return await jobs.get(tx, run.job_id)

    job = await transaction.run(database, show, principal=MAKER, today=today, read_only=True)
    return {
        "state": job.state,
        "message": job.message,
        "done": job.done_count,
        "chunks": job.chunk_count,
        "seconds": seconds,
        "processor": time.process_time() - spent,
    }


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), stands=sys.argv[2:] == ["stands"]))
