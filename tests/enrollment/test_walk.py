"""A random walk through the years of a few people: whatever is asked in whatever order, the books stay right."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel.calendar import Month
from kernel.errors import DomainError
from tests.enrollment import builders
from tests.enrollment.builders import (
    CLERK,
    PARTNER,
    a_history_file,
    a_month_row,
    a_receipt,
    an_account_row,
    an_enrollment,
    an_id_no,
    day,
    money,
    month,
)
from tests.enrollment.test_accounts import a_settlement
from tests.enrollment.test_bills import an_assessment
from tests.enrollment.test_history import NAME, bring_in
from tests.plugins.marks import slow
from tests.system import oracle_enrollment

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

STEPS = 150


class Walk:
    """A few employers and persons, and a seeded hand that does things to them."""

    def __init__(self, bureau: Bureau, seed: int, employers: list[str]) -> None:
        self.bureau = bureau
        self.draw = random.Random(seed)
        self.employers = employers
        self.numbers = [an_id_no(date(1963, 1, 1)) for _ in range(5)]  # old enough to be settled
        self.enrollments: list[model.Enrollment] = []
        self.bills: dict[str, model.Bill] = {}
        self.today = date(2025, 1, 15)
        self.done = 0

    async def step(self) -> None:
        """Do one thing; a refusal is fine, a fault is not."""
        action = self.draw.choice([
            self._enroll, self._end, self._declare, *[self._assess] * 3, *[self._pay] * 3, self._close, self._settle,
            self._bring_in, self._next_month,
        ])  # fmt: skip
        try:
            await action()
        except DomainError:
            return
        self.done += 1

    async def _call(self, rpc: str, request: Any, *, by: Any = CLERK) -> Any:
        return await self.bureau.call(rpc, request, by=by, today=self.today)

    def _a_month(self, back: int = 3) -> Month:
        return Month.of(self.today).plus(-self.draw.randint(0, back))

    async def _enroll(self) -> None:
        wage = money(f"{self.draw.randint(2000, 30000)}.{self.draw.randint(0, 99):02}")
        request = an_enrollment(
            self.draw.choice(self.employers), id_no=self.draw.choice(self.numbers), name=NAME,
            start_month=month(self._a_month(12)), wage=wage,
        )  # fmt: skip
        self.enrollments.append((await self._call("EnrollPerson", request)).enrollment)

    async def _end(self) -> None:
        if self.enrollments:
            one = self.draw.choice(self.enrollments)
            await self._call(
                "EndEnrollment",
                pb.EndEnrollmentRequest(
                    request_id=f"e-{builders.number()}", enrollment_id=one.enrollment_id,
                    end_month=month(self._a_month()), reason=model.END_REASON_RESIGNED,
                ),
            )  # fmt: skip

    async def _declare(self) -> None:
        if self.enrollments:
            one = self.draw.choice(self.enrollments)
            await self._call(
                "DeclareWage",
                pb.DeclareWageRequest(
                    request_id=f"w-{builders.number()}", enrollment_id=one.enrollment_id,
                    from_month=month(self._a_month()), wage=money(f"{self.draw.randint(2000, 30000)}"),
                ),
            )  # fmt: skip

    async def _assess(self) -> None:
        bill = (await self._call("AssessBill", an_assessment(self.draw.choice(self.employers), self._a_month(8)))).bill
        self.bills.setdefault(bill.bill_id, bill)

    async def _pay(self) -> None:
        if self.bills:
            bill = self.draw.choice(list(self.bills.values()))
            amount = self.draw.choice([bill.total.fen - bill.paid.fen, 1, bill.total.fen // 3])
            paid_date = day(date(self.today.year, self.today.month, self.draw.randint(1, 15)))
            request = a_receipt(bill, amount={"fen": amount}, paid_date=paid_date)
            self.bills[bill.bill_id] = (await self._call("RecordReceipt", request, by=PARTNER)).bill

    async def _close(self) -> None:
        await self._call(
            "CloseAccountYear",
            pb.CloseAccountYearRequest(request_id=f"c-{builders.number()}", year=self.draw.choice([2024, 2025])),
        )
        await self.bureau.run_jobs()

    async def _settle(self) -> None:
        if self.enrollments and self.draw.random() < 0.3:
            await self._call(
                "SettleAccount", a_settlement(self.draw.choice(self.enrollments).person_id, self._a_month(6))
            )

    async def _bring_in(self) -> None:
        rows = [
            a_month_row(
                self.draw.choice(self.numbers), NAME, str(self._a_month(20)), scheme=self.draw.choice([110, 210, 410])
            )
            for _ in range(6)
        ]
        rows += [an_account_row(self.draw.choice(self.numbers), NAME, 2024, f"{self.draw.randint(0, 3)}00.00")]
        await bring_in(self.bureau, a_history_file(rows))

    async def _next_month(self) -> None:
        later = Month.of(self.today).next
        self.today = date(later.year, later.month, 15)


@pytest.mark.parametrize("seed", [1, slow(2), slow(3)])
async def test_the_books_are_right_after_every_walk(bureau: Bureau, seed: int) -> None:
    walk = Walk(bureau, seed, [await bureau.employer() for _ in range(2)])

    for number in range(STEPS):
        await walk.step()
        if number % 10 == 0:
            url = bureau.database.settings.database_owner_url
            assert await oracle_enrollment.broken(url) == {}, f"seed {seed}, step {number}"

    assert walk.done > STEPS / 3
