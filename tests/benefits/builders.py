"""Enrollment as benefits hears it, and benefits as staff call it: builders with valid defaults."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import transaction
from chassis.receive import incoming, receive
from chassis.worker import Worker
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register
from hrss.type.v1 import calendar_pb2, fact_pb2, money_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import DomainError, PolicyParameterMissing
from kernel.money import Money
from services.benefits.commands import Approve, Payee, PreparePension, PrepareUnemployment, RecordResult
from services.benefits.events import ENROLLMENT
from services.benefits.lifecycle import Answer
from services.benefits.operations import deciding, payments, payrolls, preparing
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from uuid import UUID

    from chassis.database import Database
    from chassis.principal import Principal
    from chassis.transaction import Transaction
    from services.benefits.operations.determinations import Shown
    from services.benefits.operations.payments import PaymentShown
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import PayrollRow

TODAY = date(2026, 7, 20)
CLERK = a_principal(["CLERK"], subject="idp|clerk-1", purpose="counter")
OTHER_CLERK = a_principal(["CLERK"], subject="idp|clerk-2", purpose="review")
SUPERVISOR = a_principal(["SUPERVISOR"], subject="idp|supervisor", purpose="review")
BANK = a_principal(["PARTNER"], subject="bank", client="bank", scopes=["payments.write"])
ACCOUNT = "6222021001112223334"
SCHEMES = (register.SCHEME_EMPLOYEE_PENSION, register.SCHEME_UNEMPLOYMENT, register.SCHEME_WORK_INJURY)
FACTS_MAX = 500


def month(text: str) -> Month:
    """A month, shorter."""
    return Month.parse(text)


def a_payee(account: str = ACCOUNT) -> Payee:
    """Somebody who does not exist."""
    return Payee("张三", account)


@dataclass
class Enrollment:
    """Plays enrollment: numbers facts per aggregate and hands them to the real inbox."""

    database: Database
    day: date = TODAY
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def say(self, message: Any, *facts: Any) -> None:
        """One event message with these facts, heard once."""
        kind = ENROLLMENT.types[message.DESCRIPTOR.full_name].kind
        for fact in facts:
            key = (kind, fact.header.aggregate_id)
            self.versions[key] += 1
            fact.header.version = self.versions[key]
        await self.deliver(message(facts=facts))

    async def deliver(self, message: Any, event_id: UUID | None = None) -> None:
        """Hand a message with numbered facts over, as the broker would."""
        headers = {"Nats-Msg-Id": str(event_id or ids.new_id())}
        name = message.DESCRIPTOR.full_name
        await receive(self.database, ENROLLMENT, incoming(ENROLLMENT, name, message.SerializeToString(), headers))

    def header(self, aggregate_id: str) -> fact_pb2.FactHeader:
        """The header of a fact; the version is counted when it is said."""
        return fact_pb2.FactHeader(aggregate_id=aggregate_id, business_date=_date(self.day))

    async def person(self, birth: str = "1966-03-12", sex: register.Sex.ValueType = register.SEX_MALE) -> UUID:
        """A registered person."""
        person_id = ids.new_id()
        fact = heard.PersonRegistered.Fact(
            header=self.header(_per(person_id)),
            birth_date=_date(date.fromisoformat(birth)),
            sex=sex,
            division="990000",
            sealed_identity=b"sealed elsewhere",
        )
        await self.say(heard.PersonRegistered, fact)
        return person_id

    async def hired(
        self,
        person_id: UUID,
        start: str,
        *,
        schemes: Sequence[register.Scheme.ValueType] = SCHEMES,
        track: register.Track.ValueType = register.TRACK_MALE_60,
        division: str = "320613",
    ) -> dict[register.Scheme.ValueType, UUID]:
        """An employment that begins; its participations by scheme."""
        parts = {scheme: ids.new_id() for scheme in schemes}
        await self.say(
            heard.ParticipationStarted, *self.starts(person_id, parts, start, track=track, division=division)
        )
        return parts

    def starts(
        self,
        person_id: UUID,
        parts: dict[register.Scheme.ValueType, UUID],
        start: str,
        *,
        track: register.Track.ValueType = register.TRACK_MALE_60,
        division: str = "320613",
    ) -> list[heard.ParticipationStarted.Fact]:
        """Facts of an employment that begins, not yet said."""
        employer = ids.to_text("emp", ids.new_id())
        return [
            heard.ParticipationStarted.Fact(
                header=self.header(ids.to_text("par", participation_id)),
                person_id=_per(person_id),
                employer_id=employer,
                scheme=scheme,
                start_month=_month(month(start)),
                track=track,
                division=division,
            )
            for scheme, participation_id in parts.items()
        ]

    async def left(
        self,
        person_id: UUID,
        parts: dict[register.Scheme.ValueType, UUID],
        end: str,
        reason: register.EndReason.ValueType = register.END_REASON_DISMISSED,
        *,
        after: int = 0,
    ) -> None:
        """That employment ends."""
        facts = [
            heard.ParticipationEnded.Fact(
                header=self.header(ids.to_text("par", participation_id)),
                person_id=_per(person_id),
                scheme=scheme,
                end_month=_month(month(end)),
                reason=reason,
                contributions_version=after,
            )
            for scheme, participation_id in parts.items()
        ]
        await self.say(heard.ParticipationEnded, *facts)

    def settled_months(
        self,
        person_id: UUID,
        first: str,
        last: str,
        base: str = "6000",
        *,
        schemes: Sequence[register.Scheme.ValueType] = SCHEMES,
        state: register.ContributionState.ValueType = register.CONTRIBUTION_STATE_PAID,
    ) -> list[heard.ContributionsSettled.Fact]:
        """Facts of settled months, not yet said."""
        return [
            heard.ContributionsSettled.Fact(
                header=self.header(_per(person_id)),
                month=_month(one),
                items=[
                    heard.ContributionsSettled.Item(scheme=scheme, base=_money(base), state=state) for scheme in schemes
                ],
                source="import:test:1:old",
            )
            for one in Month.range(month(first), month(last))
        ]

    async def paid(self, person_id: UUID, first: str, last: str, base: str = "6000", **options: Any) -> None:
        """Months that were paid (or what the options say), in chunks as an import says them."""
        facts = self.settled_months(person_id, first, last, base, **options)
        for start in range(0, len(facts), FACTS_MAX):
            await self.say(heard.ContributionsSettled, *facts[start : start + FACTS_MAX])

    async def credited(
        self, person_id: UUID, year: int, amount: str, balance: str, kind: Any = None, *, booked: str = ""
    ) -> None:
        """An amount credited to the account; by default the imported balance at the end of a year."""
        fact = heard.AccountCredited.Fact(
            header=self.header(_per(person_id)),
            booked_month=_month(month(booked or f"{year}-12")),
            kind=heard.AccountCredited.CREDIT_KIND_IMPORTED_BALANCE if kind is None else kind,
            year=year,
            amount=_money(amount),
            balance=_money(balance),
        )
        await self.say(heard.AccountCredited, fact)

    async def settled(
        self,
        person_id: UUID,
        retirement: str = "2026-07",
        balance: str = "150000.00",
        *,
        provisional: bool = True,
        after: int = 0,
    ) -> None:
        """The account settled at retirement."""
        fact = heard.AccountSettled.Fact(
            header=self.header(_per(person_id)),
            retirement_month=_month(month(retirement)),
            balance=_money(balance),
            provisional=provisional,
            contributions_version=after,
        )
        await self.say(heard.AccountSettled, fact)

    async def about_to_retire(self, *, balance: str = "150000.00", account: bool = True) -> UUID:
        """A man born in March 1966 with paid months from 1998-08 to his statutory month 2026-07."""
        person_id = await self.person()
        await self.hired(person_id, "1998-08")
        await self.paid(person_id, "1998-08", "2026-07")
        if account:
            await self.settled(person_id, balance=balance)
        return person_id

    async def unemployed(
        self,
        *,
        first: str = "2014-01",
        last: str = "2025-06",
        base: str = "9000",
        reason: register.EndReason.ValueType = register.END_REASON_DISMISSED,
        division: str = "320613",
    ) -> UUID:
        """A person whose only employment ended."""
        person_id = await self.person("1985-05-05")
        parts = await self.hired(person_id, first, division=division)
        await self.paid(person_id, first, last, base)
        await self.left(person_id, parts, last, reason)
        return person_id


@dataclass
class Benefits:
    """Runs operations of benefits, each in its own transaction, as staff or the bank."""

    database: Database
    policy: BenefitsPolicy

    async def run(
        self, work: Callable[[Transaction], Awaitable[Any]], principal: Principal = CLERK, today: date = TODAY
    ) -> Any:
        """One transaction."""
        return await transaction.run(self.database, work, principal=principal, today=today, method="test")

    async def prepare_pension(self, person_id: UUID, *, today: date = TODAY, **changes: Any) -> Shown:
        """A prepared pension."""
        values = {"retirement_month": None, "track": None, "old_transitional": None, "payee": a_payee()} | changes
        command = PreparePension(person_id=person_id, **values)
        shown: Shown = await self.run(lambda tx: preparing.prepare_pension(tx, command, self.policy), today=today)
        return shown

    async def prepare_unemployment(
        self, person_id: UUID, registered: str = "2025-07-03", *, today: date = TODAY, **changes: Any
    ) -> Shown:
        """A prepared unemployment benefit."""
        values: dict[str, Any] = {"carried_months": 0, "payee": a_payee()} | changes
        command = PrepareUnemployment(person_id=person_id, registration_date=date.fromisoformat(registered), **values)
        shown: Shown = await self.run(lambda tx: preparing.prepare_unemployment(tx, command, self.policy), today=today)
        return shown

    async def approve(self, shown: Shown, principal: Principal = SUPERVISOR, *, today: date = TODAY) -> Shown:
        """The determination, approved."""
        command = Approve(shown.determination.determination_id, shown.determination.digest)
        approved: Shown = await self.run(lambda tx: deciding.approve(tx, command, self.policy), principal, today)
        return approved

    async def start_payroll(self, text: str, *, today: date = TODAY, principal: Principal = CLERK) -> PayrollRow:
        """The payroll of a month, as its caller gets it."""
        row: PayrollRow = await self.run(lambda tx: payrolls.prepare(tx, month(text), self.policy), principal, today)
        return row

    async def work_off_jobs(self, *, size: int = payrolls.CHUNK_BENEFITS) -> None:
        """Let every job run to its end."""
        worker = Worker(self.database, [payrolls.job(self.policy, size=size)])
        while await worker.run_one():
            pass

    async def payroll(self, text: str, *, today: date = TODAY, size: int = payrolls.CHUNK_BENEFITS) -> PayrollRow:
        """The payroll of a month, prepared."""
        await self.start_payroll(text, today=today)
        await self.work_off_jobs(size=size)
        row: PayrollRow = await self.start_payroll(text, today=today)
        return row

    async def approve_payroll(
        self, row: PayrollRow, principal: Principal = SUPERVISOR, *, today: date = TODAY
    ) -> PayrollRow:
        """The payroll, approved."""
        command = Approve(row.payroll_id, row.digest or b"")
        approved: PayrollRow = await self.run(lambda tx: payrolls.approve(tx, command), principal, today)
        return approved

    async def answer(
        self, payment_id: UUID, answer: Answer = Answer.CONFIRM, *, today: date = TODAY, reference: str = "BANK-0001"
    ) -> PaymentShown:
        """The bank's answer."""
        command = RecordResult(payment_id, answer, reference, simulated=True)
        shown: PaymentShown = await self.run(lambda tx: payments.record_result(tx, command), BANK, today)
        return shown


def _per(person_id: UUID) -> str:
    return ids.to_text("per", person_id)


def _date(day: date) -> calendar_pb2.Date:
    return calendar_pb2.Date(year=day.year, month=day.month, day=day.day)


def _month(one: Month) -> calendar_pb2.Month:
    return calendar_pb2.Month(year=one.year, month=one.month)


def _money(text: str) -> money_pb2.Money:
    return money_pb2.Money(fen=Money.yuan(text).fen)


@contextlib.contextmanager
def refused(kind: type[DomainError], reason: str) -> Iterator[pytest.ExceptionInfo[DomainError]]:
    """What happens inside is refused with this kind and reason."""
    with pytest.raises(kind) as caught:
        yield caught
    assert (type(caught.value), caught.value.reason) in {(kind, reason), (PolicyParameterMissing, reason)}
