"""What the tests of running benefits ask for: the operations as staff call them, over a real database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chassis.files import Files
from chassis.worker import Worker
from kernel import ids
from kernel.money import Money
from services.benefits.keeping import (
    Certify,
    ChangePayee,
    Method,
    Plan,
    Repay,
    Resume,
    Source,
    Suspend,
    SuspendReason,
    Way,
    WriteOff,
)
from services.benefits.operations import (
    keeping_certification,
    keeping_import,
    keeping_queries,
    keeping_requests,
    keeping_sweep,
    payrolls,
    queries,
)
from tests.benefits.builders import CLERK, SUPERVISOR, TODAY, Benefits, Enrollment, a_payee, month
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from uuid import UUID

    from chassis.jobs import Job
    from chassis.principal import Principal
    from services.benefits.operations.keeping_certification import PersonCertified
    from services.benefits.operations.keeping_queries import RecoveryShown
    from services.benefits.store.keeping_requests import Request
    from services.benefits.store.rows import BenefitRow


@dataclass
class Keeping:
    """A pensioner, and everything that two clerks may do about the pension."""

    benefits: Benefits
    enrollment: Enrollment
    person_id: UUID
    benefit_id: UUID

    async def certify(
        self, day: date, *, evidence: str = "RZ-1", source: Source = Source.COUNTER, today: date | None = None
    ) -> PersonCertified:
        """A success."""
        command = Certify(self.person_id, "", source, day, evidence)
        done: PersonCertified = await self.benefits.run(
            lambda tx: keeping_certification.certify(tx, command, self.benefits.policy), CLERK, today or day
        )
        return done

    async def sweep(self, today: date, *, size: int = 2) -> Job:
        """The sweep of a month, to its end."""
        started: Job = await self.benefits.run(lambda tx: keeping_sweep.start(tx, self.benefits.policy), CLERK, today)
        await self.work(size=size)
        done = await self.benefits.run(lambda tx: keeping_queries.job(tx, started.id), CLERK, today)
        return done.job  # type: ignore[no-any-return] # run() gives back whatever the work gave

    async def work(self, *, size: int = 2, matched: keeping_import.Matched | None = None) -> None:
        """Let every job run to its end."""
        kinds = [payrolls.job(self.benefits.policy), keeping_sweep.job(self.benefits.policy, size=size)]
        if matched is not None:
            kinds.append(keeping_import.job(matched, self.benefits.policy))
        worker = Worker(self.benefits.database, kinds)
        while await worker.run_one():
            pass

    async def benefit(self) -> BenefitRow:
        """The pension as it stands."""
        row: BenefitRow = await self.benefits.run(lambda tx: queries.benefit(tx, self.benefit_id))
        return row

    async def paid(self, text: str, today: date) -> dict[str, int]:
        """A month's payroll, approved and confirmed; what it paid by month."""
        row = await self.benefits.payroll(text, today=today)
        await self.benefits.approve_payroll(row, today=today)
        payments = await owner_fetch(
            self.benefits.database,
            "SELECT payment_id, month, amount_fen FROM payment WHERE payroll_id = $1 AND state = 'OPEN' ORDER BY month",
            row.payroll_id,
        )
        for one in payments:
            await self.benefits.answer(one["payment_id"], today=today)
        return {str(one["month"])[:7]: one["amount_fen"] for one in payments}

    async def decide(
        self, request: Request, *, approve: bool = True, today: date = TODAY, principal: Principal = SUPERVISOR
    ) -> Request:
        """The second person."""
        decided: Request = await self.benefits.run(
            lambda tx: keeping_requests.decide(
                tx,
                request.request_id,
                approve=approve,
                reason="" if approve else "材料不全",
                policy=self.benefits.policy,
            ),
            principal,
            today,
        )
        return decided

    async def suspend(self, reason: SuspendReason, first: str, today: date) -> Request:
        """Ask to hold the pension back."""
        command = Suspend(self.benefit_id, reason, month(first), "ZT-2026-1")
        asked: Request = await self.benefits.run(lambda tx: keeping_requests.ask_suspend(tx, command), CLERK, today)
        return asked

    async def resume(self, today: date, first: str = "") -> Request:
        """Ask to pay the pension again."""
        command = Resume(self.benefit_id, month(first) if first else None, "HF-2026-1")
        asked: Request = await self.benefits.run(lambda tx: keeping_requests.ask_resume(tx, command), CLERK, today)
        return asked

    async def change_payee(self, account: str, today: date) -> Request:
        """Ask to pay into another account."""
        command = ChangePayee(self.benefit_id, a_payee(account), "BG-2026-1")
        asked, _ = await self.benefits.run(lambda tx: keeping_requests.ask_payee(tx, command), CLERK, today)
        return asked  # type: ignore[no-any-return] # as above

    async def recoveries(self, today: date = TODAY) -> list[RecoveryShown]:
        """What the person was paid too much."""
        shown = await self.benefits.run(lambda tx: keeping_queries.person_recoveries(tx, self.person_id), CLERK, today)
        return list(shown.recoveries)

    async def plan(self, recovery_id: UUID, monthly: str, first: str, today: date, *, deduct: bool = False) -> Request:
        """Ask for a plan."""
        command = Plan(
            recovery_id,
            Method.DEDUCTION if deduct else Method.INSTALMENT,
            Money.yuan(monthly),
            month(first),
            self.benefit_id if deduct else None,
            "XY-2026-1",
        )
        asked: Request = await self.benefits.run(
            lambda tx: keeping_requests.ask_plan(tx, command, self.benefits.policy), CLERK, today
        )
        return asked

    async def repay(self, recovery_id: UUID, amount: str, receipt: str, today: date = TODAY) -> RecoveryShown:
        """Money at the counter."""
        command = Repay(recovery_id, Way.COUNTER, Money.yuan(amount), receipt)
        shown: RecoveryShown = await self.benefits.run(lambda tx: keeping_queries.repaid(tx, command), CLERK, today)
        return shown

    async def write_off(self, recovery_id: UUID, amount: str, today: date = TODAY) -> Request:
        """Ask to give a part up."""
        command = WriteOff(recovery_id, Money.yuan(amount), "HX-2026-1")
        asked: Request = await self.benefits.run(lambda tx: keeping_requests.ask_write_off(tx, command), CLERK, today)
        return asked

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """Rows as their owner sees them."""
        return list(await owner_fetch(self.benefits.database, sql, *args))

    async def violations(self) -> list[str]:
        """Every rule that does not hold."""
        return await violations(self.benefits.database.settings.database_owner_url, self.benefits.policy)


async def a_pensioner(benefits: Benefits, enrollment: Enrollment) -> Keeping:
    """A man whose pension of 2026-08 was approved on 2026-07-20."""
    person_id = await enrollment.about_to_retire()
    approved = await benefits.approve(await benefits.prepare_pension(person_id))
    assert approved.benefit is not None
    return Keeping(benefits, enrollment, person_id, approved.benefit.benefit_id)


async def uploaded(folder: Path, keys: Path, text: str) -> tuple[keeping_import.Matched, str, str]:
    """A file that somebody uploaded."""
    files = Files(folder, keys)
    ref = await files.put(text.encode())
    return keeping_import.Matched(files), ref.upload_id, ref.digest


def a_file(*rows: tuple[UUID | str, str, str], day: str = "2027-10-01", kind: str = "real") -> str:
    """A file of matched data."""
    lines = [f"#hrss-certifications,1,{day},{kind}", "person_id,certified_date,evidence_ref"]
    lines += [f"{one if isinstance(one, str) else ids.to_text('per', one)},{on},{ref}" for one, on, ref in rows]
    return "\n".join([*lines, f"#totals,{len(rows)}", ""])
