"""Enrollment and benefits as training hears them, and training as people call it: builders with valid defaults."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import transaction
from chassis.receive import incoming, receive
from chassis.values import to_date, to_month
from hrss.benefits.v1 import benefits_events_pb2 as benefits_pb
from hrss.benefits.v1 import benefits_pb2
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register
from hrss.type.v1 import fact_pb2
from kernel import ids
from kernel.calendar import Month
from services.training.commands import (
    Approve,
    CertificateKey,
    CheckClaim,
    Payee,
    RecordCertificate,
    RecordResult,
    Reject,
    SubmitClaim,
)
from services.training.domain.skill_subsidy import Skill
from services.training.events import BENEFITS, ENROLLMENT
from services.training.lifecycle import Answer, IssuerType
from services.training.operations import certificates, checking, claims, deciding, payments
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from uuid import UUID

    from chassis.database import Database
    from chassis.inbox import Consumer
    from chassis.principal import Principal
    from chassis.transaction import Transaction
    from kernel.errors import DomainError
    from services.training.operations.checking import Checked
    from services.training.operations.claims import Shown
    from services.training.policy import TrainingPolicy
    from services.training.store.rows import CertificateRow, OrderRow

TODAY = date(2026, 8, 10)
CLERK = a_principal(["CLERK"], subject="idp|clerk-1", purpose="counter")
SUPERVISOR = a_principal(["SUPERVISOR"], subject="idp|supervisor", purpose="review")
ISSUER = a_principal(["PARTNER"], subject="skill-body", client="skill-body", scopes=["certificates.write"])
BANK = a_principal(["PARTNER"], subject="bank", client="bank", scopes=["payments.write"])
ACCOUNT = "6222021001112223334"
OCCUPATION = "6-18-01-01"
PAID = register.CONTRIBUTION_STATE_PAID


def a_key(number: str = "S000032000006253000001") -> CertificateKey:
    """A number that nobody has."""
    return CertificateKey(IssuerType.ASSESSMENT_BODY, number)


def a_skill(level: int = 3, occupation: str = OCCUPATION, issued: str = "2026-02-10") -> Skill:
    """What a certificate says."""
    return Skill(occupation, level, date.fromisoformat(issued))


@dataclass
class Neighbours:
    """Plays enrollment and benefits: numbers facts per aggregate and hands them to the real inbox."""

    database: Database
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def say(self, consumer: Consumer, message: Any, *facts: Any) -> None:
        """One event message with these facts, heard twice, as a broker may deliver."""
        name = message.DESCRIPTOR.full_name
        for fact in facts:
            key = (consumer.types[name].kind, fact.header.aggregate_id)
            self.versions[key] += 1
            fact.header.version = self.versions[key]
        headers = {"Nats-Msg-Id": str(ids.new_id())}
        for _ in range(2):
            await receive(
                self.database,
                consumer,
                incoming(consumer, name, message(facts=facts).SerializeToString(), headers),
            )

    async def person(self) -> UUID:
        """A registered person."""
        person_id = ids.new_id()
        fact = heard.PersonRegistered.Fact(
            header=_header("per", person_id),
            birth_date=to_date(date(1990, 3, 15)),
            sex=register.SEX_FEMALE,
            division="990000",
            sealed_identity=b"sealed elsewhere",
        )
        await self.say(ENROLLMENT, heard.PersonRegistered, fact)
        return person_id

    async def hired(
        self, person_id: UUID, start: str, scheme: register.Scheme.ValueType = register.SCHEME_UNEMPLOYMENT
    ) -> UUID:
        """A participation that begins."""
        participation_id = ids.new_id()
        fact = heard.ParticipationStarted.Fact(
            header=_header("par", participation_id),
            person_id=ids.to_text("per", person_id),
            employer_id=ids.to_text("emp", ids.new_id()),
            scheme=scheme,
            start_month=to_month(Month.parse(start)),
            division="320613",
        )
        await self.say(ENROLLMENT, heard.ParticipationStarted, fact)
        return participation_id

    async def left(self, person_id: UUID, participation_id: UUID, end: str) -> None:
        """That participation ends."""
        fact = heard.ParticipationEnded.Fact(
            header=_header("par", participation_id),
            person_id=ids.to_text("per", person_id),
            scheme=register.SCHEME_UNEMPLOYMENT,
            end_month=to_month(Month.parse(end)),
            reason=register.END_REASON_DISMISSED,
        )
        await self.say(ENROLLMENT, heard.ParticipationEnded, fact)

    async def settled(
        self, person_id: UUID, first: str, last: str, state: register.ContributionState.ValueType = PAID
    ) -> None:
        """Months of contributions in both schemes; only the unemployment insurance has this state."""
        await self.say(
            ENROLLMENT,
            heard.ContributionsSettled,
            *(
                heard.ContributionsSettled.Fact(
                    header=_header("per", person_id),
                    month=to_month(month),
                    items=[
                        heard.ContributionsSettled.Item(scheme=register.SCHEME_EMPLOYEE_PENSION, state=PAID),
                        heard.ContributionsSettled.Item(scheme=register.SCHEME_UNEMPLOYMENT, state=state),
                    ],
                )
                for month in Month.range(Month.parse(first), Month.parse(last))
            ),
        )

    async def brought_in(self, person_id: UUID, year: int, *, first: int, count: int) -> None:
        """Paid months of a year that were brought in, of the unemployment insurance; a year of the pension alone."""
        run = heard.HistoryBroughtIn.Run(first_month=first, month_count=count, state=PAID)
        whole = heard.HistoryBroughtIn.Run(first_month=1, month_count=12, state=PAID)
        years = [
            heard.HistoryBroughtIn.Year(year=year, schemes=[register.SCHEME_UNEMPLOYMENT], runs=[run]),
            heard.HistoryBroughtIn.Year(year=year, schemes=[register.SCHEME_EMPLOYEE_PENSION], runs=[whole]),
        ]
        fact = heard.HistoryBroughtIn.Fact(header=_header("per", person_id), years=years)
        await self.say(ENROLLMENT, heard.HistoryBroughtIn, fact)

    async def draws(
        self, person_id: UUID, first: str, last: str, kind: Any = benefits_pb2.BENEFIT_KIND_UNEMPLOYMENT
    ) -> UUID:
        """A benefit that starts."""
        benefit_id = ids.new_id()
        fact = benefits_pb.BenefitStarted.Fact(
            header=_header("ben", benefit_id),
            person_id=ids.to_text("per", person_id),
            kind=kind,
            first_month=to_month(Month.parse(first)),
            last_month=to_month(Month.parse(last)),
        )
        await self.say(BENEFITS, benefits_pb.BenefitStarted, fact)
        return benefit_id

    async def ended(self, person_id: UUID, benefit_id: UUID, last: str) -> None:
        """That benefit ends."""
        fact = benefits_pb.BenefitEnded.Fact(
            header=_header("ben", benefit_id),
            person_id=ids.to_text("per", person_id),
            kind=benefits_pb2.BENEFIT_KIND_UNEMPLOYMENT,
            last_month=to_month(Month.parse(last)),
        )
        await self.say(BENEFITS, benefits_pb.BenefitEnded, fact)

    async def employee(self, first: str = "2024-01", last: str = "2026-07") -> UUID:
        """A person in employment with paid months."""
        person_id = await self.person()
        await self.hired(person_id, first)
        await self.settled(person_id, first, last)
        return person_id


@dataclass
class Training:
    """Runs operations of training, each in its own transaction."""

    database: Database
    policy: TrainingPolicy

    async def run(
        self, work: Callable[[Transaction], Awaitable[Any]], principal: Principal = CLERK, today: date = TODAY
    ) -> Any:
        """One transaction."""
        return await transaction.run(self.database, work, principal=principal, today=today, method="test")

    async def record(
        self, person_id: UUID, key: CertificateKey | None = None, *, is_subsidised_elsewhere: bool = False, **skill: Any
    ) -> CertificateRow:
        """A recorded certificate."""
        command = RecordCertificate(person_id, key or a_key(), a_skill(**skill), is_subsidised_elsewhere)
        row: CertificateRow = await self.run(lambda tx: certificates.record(tx, command), ISSUER)
        return row

    async def check(self, person_id: UUID, key: CertificateKey | None = None, today: date = TODAY) -> Checked:
        """What the rules say."""
        command = CheckClaim(person_id, key or a_key())
        found: Checked = await self.run(lambda tx: checking.check(tx, command, self.policy), today=today)
        return found

    async def submit(
        self,
        person_id: UUID,
        key: CertificateKey | None = None,
        *,
        today: date = TODAY,
        account: str = ACCOUNT,
        principal: Principal | None = None,
    ) -> Shown:
        """A submitted claim, by default by the claimant."""
        command = SubmitClaim(person_id, key or a_key(), Payee("张三", account))
        caller = principal or a_principal(person_id=person_id)
        shown: Shown = await self.run(lambda tx: claims.submit(tx, command, self.policy), caller, today)
        return shown

    async def prepare(self, shown: Shown, principal: Principal = CLERK, today: date = TODAY) -> Shown:
        """The claim, prepared."""
        claim_id = shown.claim.claim_id
        prepared: Shown = await self.run(lambda tx: deciding.prepare(tx, claim_id, self.policy), principal, today)
        return prepared

    async def approve(self, shown: Shown, principal: Principal = SUPERVISOR, today: date = TODAY) -> Shown:
        """The claim, approved as it was shown."""
        command = Approve(shown.claim.claim_id, shown.claim.digest or b"")
        approved: Shown = await self.run(lambda tx: deciding.approve(tx, command, self.policy), principal, today)
        return approved

    async def reject(self, shown: Shown, principal: Principal = SUPERVISOR, reason: str = "材料不全") -> Shown:
        """The claim, rejected."""
        command = Reject(shown.claim.claim_id, reason)
        rejected: Shown = await self.run(lambda tx: deciding.reject(tx, command, self.policy), principal)
        return rejected

    async def granted(self, person_id: UUID, key: CertificateKey | None = None, today: date = TODAY) -> Shown:
        """A claim from submission to approval."""
        shown = await self.prepare(await self.submit(person_id, key, today=today), today=today)
        return await self.approve(shown, today=today)

    async def answer(self, order_id: UUID, answer: Answer = Answer.CONFIRM, **changes: Any) -> OrderRow:
        """The bank's answer."""
        command = replace(RecordResult(order_id, answer, "BANK-0001", simulated=True), **changes)
        row: OrderRow = await self.run(lambda tx: payments.record_result(tx, command), BANK)
        return row


def _header(prefix: str, aggregate_id: UUID) -> fact_pb2.FactHeader:
    return fact_pb2.FactHeader(aggregate_id=ids.to_text(prefix, aggregate_id), business_date=to_date(TODAY))


@contextlib.contextmanager
def refused(kind: type[DomainError], reason: str) -> Iterator[pytest.ExceptionInfo[DomainError]]:
    """What happens inside is refused with this kind and reason."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.reason == reason
