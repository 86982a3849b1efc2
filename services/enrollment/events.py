"""What enrolment hears: a pension that starts ends participations; one that is revoked opens them again."""

from chassis.inbox import Consumer, ignore
from chassis.transaction import Transaction
from hrss.benefits.v1 import benefits_events_pb2 as events
from hrss.benefits.v1 import benefits_pb2 as pb
from kernel import ids
from kernel.calendar import Month
from services.enrollment.operations import enrollments

FROM_WORK = frozenset({pb.BENEFIT_KIND_EMPLOYEE_PENSION, pb.BENEFIT_KIND_GOVERNMENT_PENSION})


async def on_benefit_started(tx: Transaction, fact: events.BenefitStarted.Fact) -> None:
    """End the participations of a person who retires, or the cover as a resident where that scheme pays.

    A fact without a month of retirement was said before the kind told one: it ends with the month before the first.
    """
    if fact.kind not in {*FROM_WORK, pb.BENEFIT_KIND_RESIDENT_PENSION}:
        return
    is_told = fact.HasField("retirement_month")
    said = fact.retirement_month if is_told else fact.first_month
    month = Month(said.year, said.month) if is_told else Month(said.year, said.month).previous
    end = enrollments.retire if fact.kind in FROM_WORK else enrollments.retire_resident
    await end(tx, ids.parse("per", fact.person_id, field="person_id"), month)


async def on_benefit_ended(tx: Transaction, fact: events.BenefitEnded.Fact) -> None:
    """A pension that was revoked never was: what it ended goes on."""
    if fact.reason != pb.BENEFIT_END_REASON_REVOKED:
        return
    person_id = ids.parse("per", fact.person_id, field="person_id")
    if fact.kind in FROM_WORK:
        await enrollments.unretire(tx, person_id)
    elif fact.kind == pb.BENEFIT_KIND_RESIDENT_PENSION:
        await enrollments.unretire_resident(tx, person_id)


CONSUMERS = [
    Consumer(
        "benefits",
        {
            events.BenefitStarted: on_benefit_started,
            events.BenefitEnded: on_benefit_ended,
            events.PaymentConfirmed: ignore,
            events.PaymentReturned: ignore,
            events.BenefitSuspended: ignore,
            events.BenefitResumed: ignore,
            events.BenefitsAdjusted: ignore,
            events.OverpaymentFound: ignore,
        },
    )
]
