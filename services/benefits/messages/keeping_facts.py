"""What benefits says of benefits that are held back, paid again, or were paid too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_money, to_month
from hrss.benefits.v1 import benefits_events_pb2 as events
from hrss.type.v1 import fact_pb2
from kernel import ids
from services.benefits.messages.states import BENEFIT_KINDS

if TYPE_CHECKING:
    from uuid import UUID

    from services.benefits.keeping import SuspendReason
    from services.benefits.store.keeping_held import Held
    from services.benefits.store.keeping_recoveries import Recovery


def suspended(held: Held, reason: SuspendReason) -> events.BenefitSuspended.Fact:
    """Say that a benefit is held back."""
    return events.BenefitSuspended.Fact(
        header=_header(held.benefit_id),
        person_id=ids.to_text("per", held.person_id),
        kind=BENEFIT_KINDS[held.kind],
        from_month=to_month(held.from_month),
        reason=reason.value,
    )


def resumed(held: Held) -> events.BenefitResumed.Fact:
    """Say that a benefit is paid again."""
    return events.BenefitResumed.Fact(
        header=_header(held.benefit_id),
        person_id=ids.to_text("per", held.person_id),
        kind=BENEFIT_KINDS[held.kind],
        from_month=to_month(held.from_month),
    )


def overpayment_found(found: Recovery) -> events.OverpaymentFound.Fact:
    """Say that months were paid that were not owed."""
    return events.OverpaymentFound.Fact(
        header=_header(found.benefit_id),
        person_id=ids.to_text("per", found.person_id),
        kind=BENEFIT_KINDS[found.kind],
        first_month=to_month(found.first_month),
        last_month=to_month(found.last_month),
        amount=to_money(found.amount),
        reason=found.reason,
    )


def _header(benefit_id: UUID) -> fact_pb2.FactHeader:
    return fact_pb2.FactHeader(aggregate_id=ids.to_text("ben", benefit_id))
