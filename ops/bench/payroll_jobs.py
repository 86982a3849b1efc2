"""A process that seeds benefits, runs payrolls over them as the worker of the service does, and says time and memory.

`python -m ops.bench.payroll_jobs seed 200000`, `pay 2026-02`: prepare and approve, `answer 2026-02`: the bank confirms
everything, `sweep 2027-02`: who was not certified in time is held back, `books -`: the rules of the books, `lists
2026-12`: first pages of what an office looks at; with the settings of the service. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis import jobs, transaction
from chassis.archive import Archive
from chassis.config import load
from chassis.database import Database
from chassis.files import Files
from chassis.policy import policy_of
from chassis.principal import Principal
from chassis.worker import Worker
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from ops.bench.measure import peak_mib
from ops.seed import benefits as seed
from services.benefits import bank_file
from services.benefits.commands import Approve
from services.benefits.operations import (
    keeping_certification,
    keeping_queries,
    keeping_sweep,
    paying_books,
    paying_gates,
    paying_returns,
    payrolls,
)
from services.benefits.paying import AskFindings
from services.benefits.policy import BenefitsPolicy
from services.benefits.service import build
from services.benefits.settings import BenefitsSettings
from services.benefits.store import payrolls as payrolls_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.store.rows import PayrollRow

TODAY = date(2026, 12, 20)
MAKER, CHECKER = (
    Principal(subject=f"bench|{name}", client="bench", roles=frozenset({role}), natural_person=f"bench|{name}")
    for name, role in (("maker", "CLERK"), ("checker", "SUPERVISOR"))
)


async def main(what: str, of: str) -> None:
    """Do it and say how long it took."""
    settings = load(BenefitsSettings, service="benefits")
    if what == "seed":
        connection = await asyncpg.connect(settings.database_url.replace("+asyncpg", ""))
        begun = time.perf_counter()
        policy = BenefitsPolicy(policy_of(settings))
        written = await seed.write(connection, int(of), 1, policy=policy)
        await connection.close()
        sys.stdout.write(f"{json.dumps({'done': written, 'seconds': time.perf_counter() - begun})}\n")
        return
    database = Database(settings)
    await database.ping()
    run = _Run(database, settings)
    steps: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "pay": lambda: run.pay(Month.parse(of)),
        "answer": lambda: run.answer(Month.parse(of)),
        "sweep": lambda: run.sweep(Month.parse(of)),
        "books": run.books,
        "lists": lambda: run.lists(Month.parse(of)),
    }
    said = await steps[what]()
    sys.stdout.write(f"{json.dumps(said | {'memory_mib': peak_mib(os.getpid())})}\n")
    await database.close()


class _Run:
    """Operations of the service, timed."""

    def __init__(self, database: Database, settings: BenefitsSettings) -> None:
        self.database, self.settings = database, settings
        self.policy = BenefitsPolicy(policy_of(settings))
        self.worker = Worker(database, build(settings).jobs)

    async def pay(self, month: Month) -> dict[str, Any]:
        """A payroll from its start to its approval, with the ledger."""
        begun, spent = time.perf_counter(), time.process_time()
        await self._do(lambda tx: payrolls.prepare(tx, month, self.policy))
        await self._work_off()
        row = await self._do(lambda tx: payrolls.prepare(tx, month, self.policy))
        prepared = time.perf_counter()
        command = Approve(row.payroll_id, row.digest or b"")
        await self._do(lambda tx: payrolls.approve(tx, command), CHECKER)
        return {
            "done": row.payment_count,
            "seconds": time.perf_counter() - begun,
            "approve_seconds": time.perf_counter() - prepared,
            "processor": time.process_time() - spent,
            "chunks": (await self._job(row.job_id)).chunk_count,
        }

    async def answer(self, month: Month) -> dict[str, Any]:
        """The bank confirms every payment of a payroll: a file in, ledger and a fact for each."""
        row: PayrollRow = await self._do(lambda tx: payrolls.prepare(tx, month, self.policy))
        files = Files(self.settings.files_dir, self.settings.keys_dir)
        ref = await files.put((await self._file(row)).encode())
        archive = Archive(files, bank_file.open_returns)
        begun, spent = time.perf_counter(), time.process_time()
        started = await self._do(
            lambda tx: paying_returns.import_returns(tx, row.payroll_id, ref.upload_id, ref.digest, archive)
        )
        await self._work_off()
        seconds = time.perf_counter() - begun
        done = (await self._job(started.job.id)).done_count
        return {"done": done, "seconds": seconds, "processor": time.process_time() - spent}

    async def sweep(self, month: Month) -> dict[str, Any]:
        """The sweep of a month in which nobody was certified in time."""
        begun, spent = time.perf_counter(), time.process_time()
        started = await self._do(lambda tx: keeping_sweep.start(tx, self.policy), today=month.last_day)
        await self._work_off()
        job = await self._job(started.id)
        seconds = time.perf_counter() - begun
        return {"done": job.done_count, "seconds": seconds, "processor": time.process_time() - spent}

    async def books(self) -> dict[str, Any]:
        """Every rule of the books."""
        begun, spent = time.perf_counter(), time.process_time()
        started = await self._do(paying_books.check_books)
        await self._work_off()
        seconds = time.perf_counter() - begun
        job = await self._job(started.id)
        return {
            "state": job.state,
            "done": job.done_count,
            "rejected": job.rejected_count,
            "chunks": job.chunk_count,
            "seconds": seconds,
            "processor": time.process_time() - spent,
        }

    async def lists(self, month: Month) -> dict[str, Any]:
        """Milliseconds of the first page of each list that an office looks at."""
        row = await self._do(lambda tx: payrolls_store.last_of_month(tx, month))
        looks: dict[str, Callable[[Transaction], Awaitable[Any]]] = {
            "reminded": lambda tx: keeping_certification.list_due(tx, "REMINDED", self.policy, size=50, token=""),
            "overdue": lambda tx: keeping_certification.list_due(tx, "OVERDUE", self.policy, size=50, token=""),
            "held back": lambda tx: keeping_certification.list_due(tx, "SUSPENDED", self.policy, size=50, token=""),
            "figures": lambda tx: keeping_certification.figures(tx, month, self.policy),
            "double benefits": lambda tx: keeping_queries.doubles(tx, size=50, token=""),
            "findings": lambda tx: paying_gates.findings(
                tx, AskFindings(row.payroll_id, gate=None, effect=None, size=50, token="")
            ),
            "payments": lambda tx: payrolls_store.payments_of_payroll(tx, row.payroll_id, after=None, limit=51),
        }
        said: dict[str, Any] = {}
        for name, look in looks.items():
            begun = time.perf_counter()
            await self._do(look)
            said[name] = (time.perf_counter() - begun) * 1000
        return {"milliseconds": said}

    async def _file(self, row: PayrollRow) -> str:
        async def work(tx: Transaction) -> list[asyncpg.Record]:
            return await tx.fetch("SELECT payment_id, amount_fen FROM payment WHERE payroll_id = $1", row.payroll_id)

        rows = await self._do(work)
        head = f"#hrss-returns,1,{ids.to_text('prl', row.payroll_id)},{row.month},{row.sequence},simulated"
        lines = [
            f"pmt_{one['payment_id'].hex},{Money(one['amount_fen'])},CONFIRMED,BENCH-{number},"
            for number, one in enumerate(rows)
        ]
        total = Money(sum(one["amount_fen"] for one in rows))
        tail = f"#totals,{len(lines)},{total},{Money.ZERO}"
        return "\n".join([head, ",".join(bank_file.RETURN_COLUMNS), *lines, tail, ""])

    async def _do(
        self, work: Callable[[Transaction], Awaitable[Any]], principal: Principal = MAKER, today: date = TODAY
    ) -> Any:
        return await transaction.run(self.database, work, principal=principal, today=today, method="bench", bulk=True)

    async def _job(self, job_id: UUID) -> jobs.Job:
        found: jobs.Job = await self._do(lambda tx: jobs.get(tx, job_id))
        return found

    async def _work_off(self) -> None:
        async def work() -> None:
            while await self.worker.run_one():
                pass

        await self.worker.run_one()  # plans
        await asyncio.gather(*(work() for _ in range(self.worker.side_by_side)))
        await work()  # ends the job


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
