"""What enrolment hears: a pension that starts ends the participations of the person."""

from chassis.inbox import Consumer, ignore
from chassis.transaction import Transaction
from hrss.benefits.v1 import benefits_events_pb2 as events
from hrss.benefits.v1 import benefits_pb2
from kernel import ids
from kernel.calendar import Month
from services.enrollment.operations import enrollments


async def on_benefit_started(tx: Transaction, fact: events.BenefitStarted.Fact) -> None:
    """End the participations of a person whose employee pension starts."""
    if fact.kind == benefits_pb2.BENEFIT_KIND_EMPLOYEE_PENSION:
        month = Month(fact.retirement_month.year, fact.retirement_month.month)
        await enrollments.retire(tx, ids.parse("per", fact.person_id, field="person_id"), month)


CONSUMERS = [
    Consumer(
        "benefits",
        {
            events.BenefitStarted: on_benefit_started,
            events.BenefitEnded: ignore,
            events.PaymentConfirmed: ignore,
            events.PaymentReturned: ignore,
            events.BenefitSuspended: ignore,
            events.BenefitResumed: ignore,
            events.BenefitsAdjusted: ignore,
            events.OverpaymentFound: ignore,
        },
    )
]
