"""A bureau that pays: a seeded city, its payrolls, files for the bank and its answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis.archive import Archive
from chassis.files import Files
from chassis.worker import Worker
from kernel import ids
from kernel.money import Money
from ops.seed import benefits as seed
from services.benefits import bank_file
from services.benefits.operations import keeping_recovery, paying_bank, paying_books, paying_returns, payrolls
from services.benefits.paying import Limits
from services.benefits.store import decisions
from tests.benefits.builders import BANK, CLERK, TODAY, Benefits
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.jobs import JobKind
    from chassis.transaction import Transaction
    from services.benefits.operations.paying_bank import FileShown
    from services.benefits.operations.paying_returns import Importing
    from services.benefits.store.rows import PayrollRow

VARIETY = 50
LIMIT_SECONDS = 300.0  # a limit for what hangs, far above what the long runs of the slow suite take


@dataclass
class Bureau(Benefits):
    """Runs operations of the room of payments too."""

    limits: Limits = Limits()  # noqa: RUF009 - frozen
    size: int = 7

    def __post_init__(self) -> None:
        self.files = Files(self.database.settings.files_dir, self.database.settings.keys_dir)
        self.archive = Archive(self.files, bank_file.open_returns)

    async def city(self, persons: int, number: int = 7) -> None:
        """People who draw benefits, with payees that open."""
        connection = await asyncpg.connect(self.database.settings.database_owner_url)
        try:
            await seed.write(
                connection, persons, number, policy=self.policy, sealer=self.database.sealer, variety=VARIETY
            )
        finally:
            await connection.close()

    def kinds(self) -> list[JobKind]:
        """The jobs of the room, in small chunks."""
        return [
            payrolls.job(self.policy, self.limits, size=self.size),
            paying_bank.job_kind(self.files),
            paying_returns.job_kind(self.archive, self.limits),
            paying_books.job_kind(self.size),
        ]

    async def work_off(self) -> None:
        """Let every job of the room run to its end; what a killed worker held, when its lease is over."""
        worker = Worker(self.database, self.kinds())
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                while await worker.run_one():
                    pass
                (left,) = await owner_fetch(
                    self.database, "SELECT count(*) AS jobs FROM job WHERE state IN ('QUEUED', 'RUNNING')"
                )
                if not left["jobs"]:
                    return
                await asyncio.sleep(0.05)

    async def paid(self, text: str, *, today: date = TODAY) -> PayrollRow:
        """The payroll of a month, prepared."""
        await self.start_payroll(text, today=today)
        await self.work_off()
        row: PayrollRow = await self.start_payroll(text, today=today)
        return row

    async def released(self, text: str, *, today: date = TODAY) -> PayrollRow:
        """The payroll of a month, approved."""
        return await self.approve_payroll(await self.paid(text, today=today), today=today)

    async def file(self, row: PayrollRow) -> str:
        """The bank file of a payroll."""
        shown: FileShown = await self.run(lambda tx: paying_bank.make_file(tx, row.payroll_id))
        await self.work_off()
        file_id, parts, part = shown.file["file_id"], [], 1
        while part:
            number = part
            text, part = await self.run(lambda tx: paying_bank.read_file(tx, file_id, number, self.files), BANK)  # noqa: B023 - run at once
            parts.append(text)
        return "".join(parts)

    async def upload(self, row: PayrollRow, text: str, *, is_worked: bool = True) -> Importing:
        """The bank's answer, booked as far as it can be."""
        ref = await self.files.put(text.encode())
        started: Importing = await self.run(
            lambda tx: paying_returns.import_returns(tx, row.payroll_id, ref.upload_id, ref.digest, self.archive), BANK
        )
        if is_worked:
            await self.work_off()
        return started

    async def verdicts(self, started: Importing) -> list[tuple[int, str, str]]:
        """What became of its rows."""
        rows, _ = await self.run(lambda tx: paying_returns.list_rows(tx, started.return_id, size=200, token=""), BANK)
        return [(row["line"], row["verdict"], row["code"]) for row in rows]

    async def findings(self, row: PayrollRow) -> list[tuple[UUID, str, str, str]]:
        """What the gates found in a payroll, without warnings that everybody has."""
        found = await owner_fetch(
            self.database,
            """
            SELECT benefit_id, gate, effect, detail FROM payroll_finding
            WHERE payroll_id = $1 AND gate NOT IN ('FIRST', 'PROVISIONAL') ORDER BY benefit_id, gate
            """,
            row.payroll_id,
        )
        return [tuple(one) for one in found]

    async def benefit_ids(self, kind: str = "EMPLOYEE_PENSION") -> list[UUID]:
        """Benefits of a kind in the order of their ids."""
        rows = await owner_fetch(
            self.database, "SELECT benefit_id FROM benefit WHERE kind = $1 ORDER BY benefit_id", kind
        )
        return [row["benefit_id"] for row in rows]

    async def claim_back(self) -> None:
        """A difference that a test made up is claimed back at once, so that everybody has what is owed."""
        (one,) = await owner_fetch(self.database, "SELECT benefit_id, amount_fen FROM difference")

        async def claim(tx: Transaction) -> None:
            row = await decisions.benefit(tx, one["benefit_id"], lock=True)
            assert row is not None
            first = row.first_month
            over = [(row.benefit_id, first.first_day, first.first_day, one["amount_fen"])]
            await keeping_recovery.note_overpaid_differences(tx, ids.new_id(), "TEST", over)

        await self.run(claim)

    def as_clerk(self, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """An operation, called by counter staff."""
        return self.run(lambda tx: partial(work, tx)(*arguments, **options), CLERK)


def answer_of(
    row: PayrollRow, text: str, returned: Sequence[str] = (), *, outcome: str = "CONFIRMED", **head: Any
) -> str:
    """The answer of a bank to a file: everything confirmed but what is named."""
    lines = text.splitlines()[2:-1]
    values = {"payroll_id": ids.to_text("prl", row.payroll_id), "month": row.month, "sequence": row.sequence} | head
    out = [f"#hrss-returns,1,{values['payroll_id']},{values['month']},{values['sequence']},simulated"]
    out.append("payment_id,amount,outcome,reference,reason")
    sums = {"CONFIRMED": 0, "RETURNED": 0}
    for line in lines:
        cells = line.split(",")
        said = "RETURNED" if cells[0] in returned else outcome
        sums[said] += Money.yuan(cells[3]).fen
        out.append(f"{cells[0]},{cells[3]},{said},REF-{cells[0][-8:]},{'CLOSED' if said == 'RETURNED' else ''}")
    out.append(f"#totals,{len(lines)},{Money(sums['CONFIRMED'])},{Money(sums['RETURNED'])}")
    return "\n".join(out) + "\n"
