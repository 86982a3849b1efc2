"""The steps of a walk through every room of benefits: what offices, the register and the bank do, at random.

Each step tells the model (`walk_model`) what the law makes of it, and only when the office did not refuse.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chassis.worker import Worker
from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel.calendar import Month
from kernel.errors import DomainError, Forbidden
from kernel.money import Money
from services.benefits import kind_commands as kinds
from services.benefits.adjusting import AmountsSource, RunState
from services.benefits.adjusting_commands import CreateAdjustment, CreateRecomputation, CreateWhatIf, Discard, Reverse
from services.benefits.commands import Approve, Payee, Reject
from services.benefits.domain.injury import Nursing
from services.benefits.keeping import SuspendReason
from services.benefits.kinds.work_death import DependantFacts
from services.benefits.lifecycle import AFTER_DEATH, ONE_OFF, Answer, EndReason, Kind
from services.benefits.operations import (
    adjusting,
    adjusting_annual,
    adjusting_recompute,
    adjusting_whatif,
    deciding,
    keeping_sweep,
    kinds_death,
    kinds_ending,
    kinds_injury,
    kinds_pensions,
    paying_bank,
    paying_returns,
)
from tests.benefits.builders import CLERK, OTHER_CLERK, SUPERVISOR, Enrollment
from tests.benefits.keeping import Keeping
from tests.benefits.paying_bureau import Bureau, answer_of
from tests.benefits.test_persons import died
from tests.benefits.walk_model import Right, half_up, raised
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from services.benefits.operations.determinations import Shown

START = Month(2026, 7)
LOST = True  # the capacity to work
WITH = False  # not without the funeral grant
PRISON = SuspendReason.IMPRISONED
REASONS = [PRISON, PRISON, SuspendReason.SUSPECTED, SuspendReason.WHEREABOUTS_UNKNOWN, SuspendReason.DOUBLE_BENEFIT]
BASES = ("9300.00", "8800.00")  # of 2026: higher or lower than what stood in for it
WAGES = {2025: 2490_00, 2026: 2660_00}  # policy/unemployment.yaml minimum_wage, class 1
GOVERNMENT = (register.SCHEME_GOVERNMENT_PENSION, register.SCHEME_OCCUPATIONAL_ANNUITY)
DECISIONS = {
    Kind.UNEMPLOYMENT: [EndReason.REFUSED_WORK, EndReason.ENLISTED],
    Kind.INJURY_ALLOWANCE: [EndReason.ENTITLEMENT_LOST],
    Kind.INJURY_DEPENDANT: [EndReason.ENTITLEMENT_LOST],
    Kind.DISABILITY_ALLOWANCE: [EndReason.ENTITLEMENT_LOST],
}
ENDED_BY_PENSION = {"UNEMPLOYMENT", "DISABILITY_ALLOWANCE", "INJURY_ALLOWANCE"}
PENSIONS = {"EMPLOYEE_PENSION", "GOVERNMENT_PENSION", "RESIDENT_PENSION"}


class Rooms:
    """A city of a few people, its offices, and what the model knows of it."""

    def __init__(self, bureau: Bureau, enrollment: Enrollment, seed: int) -> None:
        self.bureau, self.enrollment = bureau, enrollment
        self.dice = random.Random(seed)
        self.month = START
        self.number = 0
        self.rights: dict[UUID, Right] = {}
        self.deaths: dict[UUID, Month] = {}
        self.work: dict[UUID, list[Month]] = {}  # months in which a new employment began
        self.adjusted: dict[UUID, int] = {}  # runs that stand, with their years
        self.base_fen = 8917_00
        self.law = bureau.policy
        self.bases = [self.dice.choice(BASES)]
        self.said: list[str] = []
        self.did: Counter[str] = Counter()

    @property
    def today(self) -> date:
        """A day of the month where the walk is."""
        return date(self.month.year, self.month.month, 20)

    @property
    def years(self) -> set[int]:
        """The years that were adjusted."""
        return set(self.adjusted.values())

    def steps(self) -> list[Callable[[], Awaitable[None]]]:
        """What may happen, the ordinary more often."""
        return [
            *[self.next_month, self.release, self.answer] * 5,
            *[self.prepare, self.file, self.retry, self.sweep, self.certify] * 2,
            *[self.retire, self.lose_job, self.injure, self.serve, self.reside, self.fall_ill],
            *[self.find_work, self.die, self.die, self.live, self.survive, self.bury, self.kill],
            *[self.hold, self.hold, self.resume, self.resume, self.end, self.payee],
            *[self.repay, self.give_up, self.plan, self.plan],
            *[self.adjust, self.start_adjustment, self.reverse, self.discard, self.publish, self.what_if],
        ]

    async def step(self) -> None:
        """One of them; a refusal is a step too."""
        chosen = self.dice.choice(self.steps())
        try:
            await chosen()
        except DomainError as refusal:
            self.said.append(f"{self.month} {chosen.__name__}: {refusal.reason}")
        else:
            self.did[chosen.__name__] += 1
            self.said.append(f"{self.month} {chosen.__name__}")

    def note(self, text: str) -> None:
        """What the end of a walk that fails tells."""
        self.said.append(f"{self.month}   {text}")

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        """Rows as their owner sees them."""
        return list(await owner_fetch(self.bureau.database, statement, *values))

    async def run(self, work: Any, principal: Any = CLERK) -> Any:
        """One transaction of an office."""
        return await self.bureau.run(work, principal, self.today)

    def an_account(self) -> Payee:
        """An account of somebody."""
        self.number += 1
        return Payee("张三", f"62220210011199{self.number:05d}")

    def ago(self, most: int) -> Month:
        """A month not so long ago."""
        return self.month.plus(-self.dice.randint(0, most))

    def some(self, *which: str, living: bool = True) -> list[UUID]:
        """Benefits of some kinds, all by default, in a fixed order."""
        return [
            one
            for one, right in self.rights.items()
            if (not which or right.kind in which) and not (living and right.person_id in self.deaths)
        ]

    def one(self, *which: str, living: bool = True) -> UUID:
        """One of them; there is none: the step is over."""
        found = self.some(*which, living=living)
        if not found:
            raise Forbidden("NOBODY_HERE", "the walk has nobody of this kind")
        return self.dice.choice(found)

    # Determinations -------------------------------------------------------------------------------------------------

    async def decided(self, prepared: Sequence[Shown], **about: Any) -> None:
        """A clerk who prepared may not approve; a supervisor does, or sends back."""
        for shown in prepared:
            row = shown.determination
            command = Approve(row.determination_id, row.digest)
            if self.dice.random() < 0.2:
                try:
                    await self.run(lambda tx, c=command: deciding.approve(tx, c, self.law), CLERK)
                except Forbidden as refusal:
                    assert refusal.reason == "SAME_PERSON"  # noqa: PT017 - the walk goes on
                else:
                    raise AssertionError("the maker approved")
            if self.dice.random() < 0.1:
                reject = Reject(row.determination_id, "材料不全")
                await self.run(lambda tx, c=reject: deciding.reject(tx, c), SUPERVISOR)
                continue
            approved = await self.run(lambda tx, c=command: deciding.approve(tx, c, self.law), SUPERVISOR)
            self.begins(approved, **about)

    def begins(self, shown: Shown, *, base: Callable[[Month], int] | None = None, **about: Any) -> None:
        """A benefit begins: what the law makes of it, and of those that it ends."""
        row, total = shown.determination, shown.calculation.statement.total.fen
        assert shown.benefit is not None
        kind = row.kind.value
        right = Right(kind, row.person_id, row.first_month, row.event_month, row.last_month, base or (lambda _: total))
        for name, value in about.items():
            setattr(right, name, value)
        if kind == "OCCUPATIONAL_ANNUITY":
            right.base = annuity(shown, total)
        assert right.base(row.first_month) == total, (kind, right.base(row.first_month), total)
        if kind in PENSIONS:
            for other in self.rights.values():
                if other.person_id == row.person_id and other.kind in ENDED_BY_PENSION and not other.revoked:
                    other.ends.append(row.first_month.previous)
        if kind == "UNEMPLOYMENT":
            for start in self.work.get(row.person_id, []):
                if start > right.event:
                    right.ends.append(start.previous)
        self.rights[shown.benefit.benefit_id] = right
        self.note(f"{kind} {shown.benefit.benefit_id} of {row.person_id} from {right.first} to {right.last}")

    async def retire(self) -> None:
        """An employee pension, claimed in time or late; the pensioner may have lost a job before."""
        jobless = [
            one
            for one in self.some("UNEMPLOYMENT")
            if self.rights[one].birth == Month(1966, 3) and self.rights[one].event < START
        ]
        if jobless and self.dice.random() < 0.7:
            person_id = self.rights[self.dice.choice(jobless)].person_id
        else:
            person_id = await self.enrollment.person()
            await self.enrollment.hired(person_id, "1998-08")
            await self.enrollment.paid(person_id, "1998-08", "2026-07", self.dice.choice(["6000", "9000", "15000"]))
        balance = f"{self.dice.randint(20_000, 300_000)}.00"
        await self.enrollment.settled(person_id, balance=balance, provisional=False)
        shown = await self.bureau.prepare_pension(person_id, today=self.today, payee=self.an_account())
        (basic,) = (line for line in shown.calculation.statement.lines if line.code == "basic")
        said = dict(basic.inputs)
        months, index = int(said["months"]), Decimal(said["index"])
        account = half_up(Decimal(balance) / Decimal("136.7"))  # a man of 60 years and 4 months

        def base(_: Month) -> int:
            share = Decimal(self.base_fen) / 100 * (1 + index) / 2 * months / 12 * Decimal("0.01")
            return raised(half_up(share) + account)

        await self.decided([shown], base=base, years=months // 12)

    async def lose_job(self) -> None:
        """An unemployment benefit: 45 % to 55 % of the last twelve months, never above the minimum wage."""
        last = self.month.plus(-self.dice.randint(1, 3))
        base = self.dice.choice(["4500", "9000"])
        is_old = self.month < Month(2026, 10) and self.dice.random() < 0.5
        last = Month(2025, self.dice.randint(3, 6)) if is_old else last
        first = Month(self.dice.choice([2010, 2018, 2023]), 1)
        person_id = await self.enrollment.person("1966-03-12" if is_old else "1985-05-05")
        start = "1998-08" if is_old else str(first)
        parts = await self.enrollment.hired(person_id, start)
        await self.enrollment.paid(person_id, start, str(last), base)
        await self.enrollment.left(person_id, parts, str(last))
        registered = last.next.first_day.replace(day=3)
        shown = await self.bureau.prepare_unemployment(
            person_id, registered.isoformat(), today=self.today, payee=self.an_account()
        )
        paid = Month.parse(start).months_until(last) + 1
        rate = Decimal("0.45") if paid < 120 else Decimal("0.50") if paid < 240 else Decimal("0.55")
        wanted = half_up(Decimal(base) * rate)
        await self.decided(
            [shown],
            base=lambda month: min(wanted, WAGES[min(2026, month.year)]),
            birth=Month(1966, 3) if is_old else Month(1985, 5),
        )

    async def injure(self) -> None:
        """A work injury of a grade that brings a grant, an allowance, nursing."""
        person_id = await self.enrollment.person("1985-05-05")
        await self.enrollment.hired(person_id, "2020-01", schemes=(register.SCHEME_WORK_INJURY,))
        event = date(2025, 3, 10)
        command = kinds.PrepareInjury(
            person_id=person_id,
            event_date=event,
            appraisal_date=date(2025, 8, 20),
            grade=self.dice.choice([1, 3, 4, 8]),
            nursing=self.dice.choice([None, Nursing.FULL]),
            suitable_work=False,
            average_base=Money.yuan("6000.00"),
            payee=self.an_account(),
            document="鉴字1号",
        )
        if command.grade > 4:  # grades 1 to 4 leave the employment
            command = kinds.PrepareInjury(
                **{name: getattr(command, name) for name in command.__slots__} | {"nursing": None}
            )
        await self.decided(await self.run(lambda tx: kinds_injury.prepare_injury(tx, command, self.law)))

    async def serve(self) -> None:
        """A government pension and its annuity, which ends when the balance is used up."""
        person_id = await self.enrollment.person()
        await self.enrollment.hired(person_id, "2014-10", schemes=GOVERNMENT)
        await self.enrollment.paid(person_id, "2011-08", "2026-07", "9000", schemes=GOVERNMENT)
        command = kinds.PrepareGovernmentPension(
            person_id=person_id,
            retirement_date=date(2026, 7, 10),
            track=None,
            joined=date(2014, 10, 8),
            balance=Money.yuan("80000.00"),
            annuity_balance=Money.yuan(f"{self.dice.randint(200, 90_000)}.00"),
            deemed_months=0,
            deemed_index=None,
            old=None,
            old_parts=None,
            new_total=None,
            payee=self.an_account(),
            document="机关核1号",
        )
        prepared = await self.run(lambda tx: kinds_pensions.prepare_government_pension(tx, command, self.law))
        lines = {line.code: line for line in prepared[0].calculation.statement.lines}
        said = dict(lines["basic"].inputs)
        months, index = int(said["months"]), Decimal(said["index"])
        account = lines["account"].amount.fen

        def base(_: Month) -> int:
            share = Decimal(self.base_fen) / 100 * (1 + index) / 2 * months / 12 * Decimal("0.01")
            return half_up(share) + int(account)

        await self.decided(prepared[:1], base=base, years=months // 12)
        await self.decided(prepared[1:])

    async def reside(self) -> None:
        """A resident pension."""
        person_id = await self.enrollment.person("1960-02-10")
        await self.enrollment.hired(person_id, "2014-10", schemes=(register.SCHEME_RESIDENT_PENSION,))
        command = kinds.PrepareResidentPension(
            person_id=person_id,
            first_month=None,
            balance=Money.yuan("20850.00"),
            full_years=15,
            was_60_at_start=False,
            payee=self.an_account(),
            document="居民核1号",
        )
        await self.decided(await self.run(lambda tx: kinds_pensions.prepare_resident_pension(tx, command, self.law)))

    async def fall_ill(self) -> None:
        """A disability allowance near the age."""
        person_id = await self.enrollment.person("1968-01-01")
        await self.enrollment.hired(person_id, "2000-01", schemes=(register.SCHEME_EMPLOYEE_PENSION,))
        await self.enrollment.paid(person_id, "2000-01", "2025-05", schemes=(register.SCHEME_EMPLOYEE_PENSION,))
        await self.enrollment.credited(person_id, 2024, "90000.00", "90000.00")
        command = kinds.PrepareDisabilityAllowance(
            person_id, self.ago(4).first_day, LOST, None, None, self.an_account(), "病鉴1号"
        )
        prepared = await self.run(lambda tx: kinds_pensions.prepare_disability_allowance(tx, command, self.law))
        lines = {line.code: line for line in prepared[0].calculation.statement.lines}
        said = dict(lines["basic"].inputs)
        months, index, account = int(said["months"]), Decimal(said["index"]), lines["account"].amount.fen

        def base(_: Month) -> int:
            share = Decimal(self.base_fen) / 100 * (1 + index) / 2 * months / 12 * Decimal("0.01")
            return raised(half_up(share) + account)

        await self.decided(prepared, base=base)

    # What the register says -----------------------------------------------------------------------------------------

    async def find_work(self) -> None:
        """A new employment, heard in its month or some months later."""
        person_id = self.rights[self.one("UNEMPLOYMENT")].person_id
        start = self.ago(4)
        await self.enrollment.hired(person_id, str(start), schemes=(register.SCHEME_UNEMPLOYMENT,))
        self.work.setdefault(person_id, []).append(start)
        self.note(f"{person_id} works from {start}")
        for right in self.rights.values():
            if right.person_id == person_id and right.kind == "UNEMPLOYMENT" and start > right.event:
                right.ends.append(start.previous)

    async def die(self) -> None:
        """A death some months ago, known now; or another month of a death that is known."""
        person_id = self.rights[self.one(living=self.dice.random() < 0.8)].person_id
        month = self.ago(7)
        await died(self.enrollment, person_id, date(month.year, month.month, 9))
        self.deaths[person_id] = month
        self.note(f"{person_id} died in {month}")
        self.lives_until(person_id)

    async def live(self) -> None:
        """There was no death."""
        if self.deaths:
            person_id = self.dice.choice(list(self.deaths))
            if any(right.kind in AFTER_DEATH and right.person_id == person_id for right in self.rights.values()):
                return  # grants for a death are taken back by people
            await died(self.enrollment, person_id, None)
            del self.deaths[person_id]
            self.note(f"{person_id} lives")
            self.lives_until(person_id)

    def lives_until(self, person_id: UUID) -> None:
        """A death ends what is paid for living."""
        for right in self.rights.values():
            if right.person_id == person_id and right.kind not in AFTER_DEATH and right.kind not in ONE_OFF:
                right.died = self.deaths.get(person_id)

    async def survive(self) -> None:
        """Funeral and survivors' grant after the death of a pensioner."""
        gone = [self.rights[one] for one in self.some("EMPLOYEE_PENSION", living=False)]
        gone = [one for one in gone if one.person_id in self.deaths]
        if not gone:
            return
        right = self.dice.choice(gone)
        month = self.deaths[right.person_id]
        command = kinds.PrepareSurvivors(
            right.person_id, date(month.year, month.month, 9), None, None, WITH, self.an_account(), "遗属1号"
        )
        await self.decided(await self.run(lambda tx: kinds_death.prepare_survivors(tx, command, self.law)))

    async def bury(self) -> None:
        """The funeral aid of a resident: its amount is not in the files of law."""
        gone = [one for one in self.some("RESIDENT_PENSION", living=False) if self.rights[one].person_id in self.deaths]
        if gone:
            person_id = self.rights[self.dice.choice(gone)].person_id
            month = self.deaths[person_id]
            command = kinds.PrepareResidentFuneral(
                person_id, date(month.year, month.month, 9), Money.yuan("321.00"), self.an_account(), "丧葬1号"
            )
            await self.decided(await self.run(lambda tx: kinds_death.prepare_resident_funeral(tx, command, self.law)))

    async def kill(self) -> None:
        """A death from work, with dependants."""
        person_id = await self.enrollment.person("1985-05-05")
        await self.enrollment.hired(person_id, "2020-01", schemes=(register.SCHEME_WORK_INJURY,))
        day = date(2025, 3, 10)
        await died(self.enrollment, person_id, day)
        self.deaths[person_id] = Month.of(day)
        dependants = tuple(
            kinds.WorkDependant(
                DependantFacts(is_spouse=one == 0), None if one else self.month.plus(6), self.an_account()
            )
            for one in range(self.dice.randint(0, 2))
        )
        command = kinds.PrepareWorkDeath(
            person_id=person_id,
            event_date=day,
            injury_date=None,
            missing=False,
            hardship=False,
            after_paid_leave=False,
            without_once=False,
            without_funeral=False,
            average_base=Money.yuan("6000.00"),
            dependants=dependants,
            payee=self.an_account(),
            document="工亡1号",
        )
        await self.decided(await self.run(lambda tx: kinds_death.prepare_work_death(tx, command, self.law)))

    # Keeping --------------------------------------------------------------------------------------------------------

    def keeping(self, benefit_id: UUID) -> Keeping:
        """The desk of one benefit."""
        return Keeping(self.bureau, self.enrollment, self.rights[benefit_id].person_id, benefit_id)

    async def hold(self) -> None:
        """Two persons hold a benefit back."""
        benefit_id, month, reason = self.one(), self.ago(4), self.dice.choice(REASONS)
        kept = self.keeping(benefit_id)
        asked = await kept.suspend(reason, str(month), self.today)
        approve = self.dice.random() < 0.9
        await kept.decide(asked, approve=approve, today=self.today, principal=SUPERVISOR)
        self.note(f"{benefit_id} held from {month} {reason} {approve}")
        if approve and reason is PRISON:
            self.rights[benefit_id].prison_from = month

    async def resume(self) -> None:
        """Two persons pay it again; after prison from a month that they name."""
        held = await self.rows("SELECT benefit_id FROM benefit WHERE state = 'SUSPENDED' ORDER BY benefit_id")
        if held:
            await self.resumed(self.dice.choice(held)["benefit_id"], self.ago(2))

    async def resumed(self, benefit_id: UUID, month: Month) -> None:
        """A held benefit, paid again."""
        kept, right = self.keeping(benefit_id), self.rights[benefit_id]
        await kept.decide(await kept.resume(self.today, str(month)), today=self.today)
        self.note(f"{benefit_id} resumed from {month}")
        if right.prison_from is not None:
            right.lost |= set(Month.range(right.prison_from, month.previous))
            right.prison_from = None

    async def sweep(self) -> None:
        """The sweep of the month, sometimes twice."""
        for _ in range(self.dice.choice([1, 1, 2])):
            await self.run(lambda tx: keeping_sweep.start(tx, self.law))
            await self.work_off()

    async def certify(self) -> None:
        """Most of those who were missed are seen."""
        for benefit_id in self.some():
            if self.dice.random() < 0.4:
                self.number += 1
                await self.keeping(benefit_id).certify(self.today, evidence=f"RZ-{self.number}")

    async def payee(self) -> None:
        """Another account."""
        kept = self.keeping(self.one())
        await kept.decide(await kept.change_payee(self.an_account().account, self.today), today=self.today)

    async def end(self) -> None:
        """A supervisor ends a benefit, or revokes what was determined."""
        benefit_id = self.one()
        right = self.rights[benefit_id]
        reasons = [EndReason.REVOKED, *DECISIONS.get(Kind(right.kind), [])]
        reason, last = self.dice.choice(reasons), self.month.plus(-self.dice.randint(0, 5))
        last = max(last, right.first.previous)
        command = kinds.EndBenefit(benefit_id, reason, last, "停发1号")
        await self.run(lambda tx: kinds_ending.end_benefit(tx, command), SUPERVISOR)
        self.note(f"{benefit_id} ended {reason} {last}")
        right.revoked = reason is EndReason.REVOKED
        right.ends.append(last)

    # Recoveries -----------------------------------------------------------------------------------------------------

    async def recoveries(self) -> list[Any]:
        """What somebody owes."""
        return await self.rows(
            """
            SELECT recovery_id, benefit_id, amount_fen - recovered_fen - written_off_fen - cancelled_fen AS fen
            FROM recovery WHERE recovered_fen + written_off_fen + cancelled_fen < amount_fen ORDER BY recovery_id
            """
        )

    async def repay(self) -> None:
        """Some money comes back, sometimes too much."""
        for row in await self.recoveries():
            self.number += 1
            fen = self.dice.choice([1, max(1, row["fen"] // 3), row["fen"], row["fen"] + 1])
            kept = self.keeping(row["benefit_id"])
            await kept.repay(row["recovery_id"], str(Money(fen)), f"SJ-{self.number}", self.today)

    async def give_up(self) -> None:
        """A part is given up."""
        for row in (await self.recoveries())[:2]:
            kept = self.keeping(row["benefit_id"])
            asked = await kept.write_off(row["recovery_id"], str(Money(max(1, row["fen"] // 4))), self.today)
            await kept.decide(asked, today=self.today)

    async def plan(self) -> None:
        """An agreement, by instalments or out of the same benefit."""
        for row in await self.recoveries():
            kept = self.keeping(row["benefit_id"])
            monthly = self.dice.choice(["10.00", "300.00", "900.00"])
            asked = await kept.plan(
                row["recovery_id"], monthly, str(self.month), self.today, deduct=self.dice.random() < 0.8
            )
            await kept.decide(asked, today=self.today)

    # Payrolls -------------------------------------------------------------------------------------------------------

    async def next_month(self) -> None:
        """Time goes on."""
        self.month = self.month.plus(self.dice.choice([1, 1, 1, 3]))

    async def work_off(self) -> None:
        """Every job to its end, in chunks of a few."""
        kinds_ = [
            *self.bureau.kinds(),
            keeping_sweep.job(self.law, size=2),
            *adjusting_annual.job_kinds(size=3),
            *adjusting_recompute.job_kinds(self.law, size=3),
        ]
        worker = Worker(self.bureau.database, kinds_)
        while await worker.run_one():
            pass

    async def prepare(self) -> Any:
        """The payroll of this month, or of the one before, once or twice."""
        text = str(self.month if self.dice.random() < 0.9 else self.month.previous)
        row = None
        for _ in range(self.dice.choice([1, 2])):
            await self.bureau.start_payroll(text, today=self.today)
            await self.work_off()
            row = await self.bureau.start_payroll(text, today=self.today)
        return row

    async def release(self) -> None:
        """A payroll goes to the bank."""
        row = await self.prepare()
        await self.bureau.approve_payroll(row, today=self.today)

    async def answer(self) -> None:
        """The bank answers for some of what it has, one by one."""
        for row in await self.rows(
            "SELECT payment_id FROM payment JOIN payroll USING (payroll_id)"
            " WHERE payment.state = 'OPEN' AND payroll.state = 'APPROVED' ORDER BY payment_id"
        ):
            if self.dice.random() < 0.7:
                said = Answer.RETURN if self.dice.random() < 0.25 else Answer.CONFIRM
                await self.bureau.answer(row["payment_id"], said, today=self.today)

    async def file(self) -> None:
        """The bank answers with a file, some of it sent back, some of it known already."""
        found = await self.rows(
            "SELECT payroll_id, month, sequence FROM payroll WHERE state = 'APPROVED' AND payment_count > 0"
            " ORDER BY payroll_id DESC LIMIT 1"
        )
        for one in found:
            row = await self.bureau.run(lambda tx: paying_bank.approved(tx, one["payroll_id"]))  # noqa: B023 - run at once
            text = await self.bureau.file(row)
            ids_ = [line.split(",")[0] for line in text.splitlines()[2:-1]]
            back = [one for one in ids_ if self.dice.random() < 0.2]
            await self.bureau.upload(row, answer_of(row, text, back))

    async def retry(self) -> None:
        """What came back is sent again."""
        for row in await self.rows("SELECT payment_id FROM returned_payment WHERE state = 'OWED' ORDER BY payment_id"):
            await self.run(lambda tx, one=row["payment_id"]: paying_returns.retry(tx, one))

    # Runs -----------------------------------------------------------------------------------------------------------

    async def runs(self, *states: RunState, purpose: str = "ANNUAL") -> list[Any]:
        """Runs in some states."""
        return await self.rows(
            "SELECT adjustment_id, year, digest FROM adjustment WHERE purpose = $2 AND state = ANY($1::text[])"
            " ORDER BY adjustment_id",
            [one.value for one in states],
            purpose,
        )

    async def adjust(self) -> None:
        """The adjustment of a year is made, looked at and approved by another."""
        year = self.dice.choice([self.month.year, self.month.year, self.month.year - 1])
        command = CreateAdjustment(
            max(2027, year), AmountsSource.DEMO, (Kind.EMPLOYEE_PENSION, Kind.GOVERNMENT_PENSION)
        )
        run = await self.run(lambda tx: adjusting.create(tx, command, self.law))
        await self.looked_at(run.adjustment_id)

    async def looked_at(self, adjustment_id: UUID) -> None:
        """A dry run, approved."""
        await self.run(lambda tx: adjusting.dry_run(tx, adjustment_id), OTHER_CLERK)
        await self.work_off()
        found = await self.run(lambda tx: adjusting.found(tx, adjustment_id))
        await self.run(lambda tx: adjusting.approve(tx, Approve(adjustment_id, found.digest or b"")), SUPERVISOR)

    async def start_adjustment(self) -> None:
        """An approved run begins, maybe months later."""
        for row in await self.runs(RunState.APPROVED):
            await self.run(lambda tx, one=row["adjustment_id"]: adjusting.start(tx, one))
            await self.work_off()
            self.adjusted[row["adjustment_id"]] = row["year"]
            self.note(f"{row['year']} is adjusted")

    async def reverse(self) -> None:
        """Two persons take a run back."""
        done = await self.runs(RunState.DONE)
        if done and self.dice.random() < 0.5:
            row = done[-1]
            command = Reverse(row["adjustment_id"], row["digest"], "参数有误")
            await self.run(lambda tx: adjusting.reverse(tx, command))
            await self.run(lambda tx: adjusting.reverse(tx, command), SUPERVISOR)
            await self.work_off()
            del self.adjusted[row["adjustment_id"]]
            self.note(f"{row['year']} is reversed")

    async def discard(self) -> None:
        """A run that changed nothing is put away."""
        for row in await self.runs(RunState.DRAFT, RunState.DRY_RUN, RunState.APPROVED):
            await self.run(lambda tx, one=row["adjustment_id"]: adjusting.discard(tx, Discard(one)))

    async def publish(self) -> None:
        """The base of 2026 is published: everything provisional is computed again."""
        if not self.bases or self.month.year < 2027:  # published after its year
            return
        if await self.runs(RunState.DRY_RUN, RunState.APPROVED, RunState.RUNNING, purpose="RECOMPUTATION"):
            return
        value = self.bases.pop(0)
        self.renew_law(value)
        run = await self.run(lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), self.law))
        await self.work_off()
        found = await self.run(lambda tx: adjusting.found(tx, run.adjustment_id))
        await self.run(lambda tx: adjusting.approve(tx, Approve(run.adjustment_id, found.digest or b"")), SUPERVISOR)
        await self.run(lambda tx: adjusting.start(tx, run.adjustment_id))
        await self.work_off()
        self.base_fen = Money.yuan(value).fen
        self.note(f"the base is {value}")

    def renew_law(self, value: str) -> None:
        """Another law from now on."""
        terms = {"file": "pension-employee.yaml", "key": "calculation_base", "from": "2026-01-01", "to": "2026-12-31"}
        self.law = adjusting_whatif.changed(self.law, {**terms, "value": value})
        self.bureau.policy = self.law

    async def what_if(self) -> None:
        """A question changes nothing."""
        command = CreateWhatIf("pension-employee.yaml", "calculation_base", date(2026, 1, 1), None, "9999.00", 3)
        await self.run(lambda tx: adjusting_whatif.what_if(tx, command, self.law))
        await self.work_off()


def annuity(shown: Shown, total: int) -> Callable[[Month], int]:
    """The same every month, and in the last one what is left of the balance."""
    row, balance = shown.determination, shown.calculation.inputs["balance"]
    assert row.last_month is not None
    months = row.first_month.months_until(row.last_month)
    return lambda month: total if month != row.last_month else balance - total * months
