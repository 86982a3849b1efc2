"""A pension through everything that may happen to it, in any order: the books are right after every walk."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING

import pytest

from kernel.calendar import Month
from kernel.errors import DomainError
from kernel.money import Money
from services.benefits.keeping import SuspendReason
from services.benefits.lifecycle import Answer
from tests.benefits.builders import SUPERVISOR, Benefits, Enrollment
from tests.benefits.keeping import Keeping, a_pensioner
from tests.benefits.test_persons import died

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STEPS = 30
REASONS = [SuspendReason.IMPRISONED, SuspendReason.SUSPECTED, SuspendReason.WHEREABOUTS_UNKNOWN]


class Walk:
    """Steps over one pension; a refusal is a step too."""

    def __init__(self, kept: Keeping, seed: int) -> None:
        self.kept = kept
        self.dice = random.Random(seed)
        self.month = Month(2026, 8)
        self.number = 0
        self.said: list[str] = []

    @property
    def today(self) -> date:
        """A day of the month where the walk is."""
        return date(self.month.year, self.month.month, 15)

    async def step(self) -> None:
        """One of them."""
        steps: list[Callable[[], Awaitable[None]]] = [
            *[self.next_month, self.release, self.answer] * 2,
            *[self.prepare, self.die, self.live, self.hold, self.resume, self.sweep, self.certify],
            *[self.repay, self.give_up, self.plan, self.payee],
        ]
        chosen = self.dice.choice(steps)
        try:
            await chosen()
            self.said.append(f"{chosen.__name__} {self.month}")
        except DomainError as refusal:
            self.said.append(f"{chosen.__name__} {self.month} {refusal.reason}")

    async def next_month(self) -> None:
        """Time goes on."""
        self.month = self.month.plus(self.dice.choice([1, 1, 1, 4]))

    async def prepare(self) -> None:
        """A payroll that nobody releases yet."""
        await self.kept.benefits.payroll(str(self.month), today=self.today)

    async def release(self) -> None:
        """A payroll goes to the bank."""
        row = await self.kept.benefits.payroll(str(self.month), today=self.today)
        await self.kept.benefits.approve_payroll(row, today=self.today)

    async def answer(self) -> None:
        """The bank answers for some of what it has."""
        for row in await self.kept.rows(
            "SELECT payment_id FROM payment JOIN payroll USING (payroll_id)"
            " WHERE payment.state = 'OPEN' AND payroll.state = 'APPROVED' ORDER BY payment_id"
        ):
            if self.dice.random() < 0.8:
                said = Answer.RETURN if self.dice.random() < 0.3 else Answer.CONFIRM
                await self.kept.benefits.answer(row["payment_id"], said, today=self.today)

    async def die(self) -> None:
        """A death some months ago, known now."""
        month = self.month.plus(-self.dice.randint(0, 5))
        await died(self.kept.enrollment, self.kept.person_id, date(month.year, month.month, 9))

    async def live(self) -> None:
        """There was no death."""
        await died(self.kept.enrollment, self.kept.person_id, None)

    async def hold(self) -> None:
        """Two persons hold it back."""
        month = str(self.month.plus(-self.dice.randint(0, 3)))
        asked = await self.kept.suspend(self.dice.choice(REASONS), month, self.today)
        await self.kept.decide(asked, approve=self.dice.random() < 0.9, today=self.today, principal=SUPERVISOR)

    async def resume(self) -> None:
        """Two persons pay it again."""
        row = await self.kept.benefit()
        first = str(row.suspended_from) if row.suspended_from and self.dice.random() < 0.5 else str(self.month)
        await self.kept.decide(await self.kept.resume(self.today, first), today=self.today)

    async def sweep(self) -> None:
        """The sweep of the month."""
        await self.kept.sweep(self.today)

    async def certify(self) -> None:
        """A success."""
        self.number += 1
        await self.kept.certify(self.today, evidence=f"RZ-{self.number}")

    async def repay(self) -> None:
        """Some money comes back, sometimes too much."""
        self.number += 1
        for shown in await self.kept.recoveries(self.today):
            free = shown.recovery.free.fen
            fen = self.dice.choice([1, max(1, free // 3), max(1, free), free + 1])
            await self.kept.repay(shown.recovery.recovery_id, str(Money(fen)), f"SJ-{self.number}", self.today)

    async def give_up(self) -> None:
        """A part is given up."""
        for shown in await self.kept.recoveries(self.today):
            part = Money(max(1, shown.recovery.free.fen // 4))
            asked = await self.kept.write_off(shown.recovery.recovery_id, str(part), self.today)
            await self.kept.decide(asked, today=self.today)

    async def plan(self) -> None:
        """An agreement."""
        for shown in await self.kept.recoveries(self.today):
            asked = await self.kept.plan(
                shown.recovery.recovery_id, "300.00", str(self.month), self.today, deduct=self.dice.random() < 0.7
            )
            await self.kept.decide(asked, today=self.today)

    async def payee(self) -> None:
        """Another account."""
        self.number += 1
        asked = await self.kept.change_payee(f"62220210011199{self.number:05d}", self.today)
        await self.kept.decide(asked, today=self.today)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_to_a_pension_the_books_are_right(
    benefits: Benefits, enrollment: Enrollment, seed: int
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    walk = Walk(kept, seed)

    for _ in range(STEPS):
        await walk.step()
        assert await kept.violations() == [], walk.said
        assert not await kept.rows("SELECT 1 FROM parked"), walk.said
