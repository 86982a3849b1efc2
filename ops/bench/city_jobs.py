"""A process that runs one job over the city, as the worker of the service does, and says how long it took and how much
memory it had: `python -m ops.bench.city_jobs bill 2025-11` or `interest 2025`. Settings as those of the service.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from datetime import date
from typing import TYPE_CHECKING

from chassis import jobs, transaction
from chassis.config import Settings, load
from chassis.database import Database
from chassis.principal import Principal
from chassis.worker import Worker
from kernel.calendar import Month
from services.enrollment.operations import accounts, city
from services.enrollment.service import build, open_office

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.jobs import Job
    from chassis.transaction import Transaction

TODAY = "BENCH_TODAY"  # variable with the business day
_POLL_SECONDS = 0.005


async def main(what: str, of: str) -> None:
    """Start the job and run it to its end; prints one line of JSON."""
    settings = load(Settings, service="enrollment")
    office = open_office(settings)
    database = Database(settings)
    today = date.fromisoformat(os.environ[TODAY])
    principal = Principal.system("enrollment")

    async def start(tx: Transaction) -> UUID:
        if what == "bill":
            run, _ = await city.start_bill_run(tx, Month.parse(of), office)
            return run.job_id
        return (await accounts.close_account_year(tx, int(of), office)).id

    async def show(tx: Transaction) -> Job:
        return await jobs.get(tx, job_id)

    await database.ping()
    begun, spent = time.perf_counter(), time.process_time()
    job_id = await transaction.run(database, start, principal=principal, today=today, method="bench")
    stop = asyncio.Event()
    worker = asyncio.create_task(Worker(database, build(settings).jobs).run(stop))
    while (job := await transaction.run(database, show, principal=principal, today=today, read_only=True)).ended is None:
        await asyncio.sleep(_POLL_SECONDS)
    seconds = time.perf_counter() - begun
    stop.set()
    await worker
    said = {
        "state": job.state,
        "seconds": seconds,
        "processor": time.process_time() - spent,
        "done": job.done_count,
        "chunks": job.chunk_count,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "message": job.message,
    }
    sys.stdout.write(f"{json.dumps(said)}\n")
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
