"""A process that runs one job over a city as the worker of the service does, and says its time and memory.

`python -m ops.bench.city_jobs bill 2025-11`, or `interest 2025`, with the settings of the service; `compute 2025`
computes the interest of every account and stores nothing: the openings are read and credits drawn before, by the
statement that then counts the time of the arithmetic alone.
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
from kernel.calendar import Month
from ops.bench.measure import peak_mib
from services.enrollment.domain.account import Method, YearTerms, year_terms
from services.enrollment.operations import accounts, city
from services.enrollment.service import build, open_office
from services.enrollment.store.accounts import INTEREST

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.jobs import Job
    from chassis.transaction import Transaction

TODAY = "BENCH_TODAY"  # variable with the business day


# What is read stands in memory (MATERIALIZED) before the arithmetic begins: its time is that of the upper node alone.
COMPUTE = f"""
    EXPLAIN (ANALYZE, TIMING ON, FORMAT JSON)
    WITH mine AS MATERIALIZED (
        SELECT balance_fen AS opening_fen, 12 * 39616 + person_id_hash % 1000 AS contribution_fen,
               78 * 39616 + person_id_hash % 1000 AS product_fen
        FROM (SELECT balance_fen, abs(hashtext(person_id::text))::bigint AS person_id_hash FROM account
              WHERE first_year <= $1) AS one
    ) SELECT sum({INTEREST}) FROM mine
"""  # noqa: S608 - constant text


async def main(what: str, of: str) -> None:
    """Start the job and run it to its end; prints one line of JSON."""
    settings = load(Settings, service="enrollment")
    office = open_office(settings)
    database = Database(settings)
    today = date.fromisoformat(os.environ[TODAY])
    if what == "compute":
        sys.stdout.write(f"{json.dumps(await _computed(database, year_terms(int(of), office.policy.account)))}\n")
        await database.close()
        return
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
    worker = Worker(database, build(settings).jobs)

    async def work() -> None:
        while await worker.run_one():
            pass

    await worker.run_one()  # plans
    await asyncio.gather(*(work() for _ in range(worker.side_by_side)))
    await work()  # ends the job
    seconds = time.perf_counter() - begun
    job = await transaction.run(database, show, principal=principal, today=today, read_only=True)
    said = {
        "state": job.state,
        "seconds": seconds,
        "processor": time.process_time() - spent,
        "done": job.done_count,
        "chunks": job.chunk_count,
        "memory_mib": peak_mib(os.getpid()),
        "message": job.message,
    }
    sys.stdout.write(f"{json.dumps(said)}\n")
    await database.close()


async def _computed(database: Database, terms: YearTerms) -> dict[str, Any]:
    async def work(tx: Transaction) -> dict[str, Any]:
        found = await tx.fetchrow(
            COMPUTE,
            terms.year,
            *terms.on_opening.as_integer_ratio(),
            *terms.on_new.as_integer_ratio(),
            terms.method is Method.MONTHLY_PRODUCT,
        )
        assert found is not None
        plan = found[0] if isinstance(found[0], list) else json.loads(found[0])
        node = plan[0]["Plan"]
        read = next(one for one in node["Plans"] if one.get("Subplan Name") == "CTE mine")
        seconds = (node["Actual Total Time"] - read["Actual Total Time"]) / 1000
        return {"state": "DONE", "message": "", "done": int(read["Actual Rows"]), "seconds": seconds}

    return await transaction.run(
        database,
        work,
        principal=Principal.system("enrollment"),
        today=date.fromisoformat(os.environ[TODAY]),
        read_only=True,
        bulk=True,
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
