"""What is said of a benefit whose amount changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_month
from hrss.benefits.v1 import benefits_events_pb2 as events
from hrss.type.v1 import fact_pb2, money_pb2
from kernel import ids
from services.benefits.messages.states import AMOUNT_CAUSES, BENEFIT_KINDS

if TYPE_CHECKING:
    from uuid import UUID

    from kernel.calendar import Month
    from services.benefits.lifecycle import AmountCause, Kind


def adjusted(
    benefit_id: UUID,
    person_id: UUID,
    kind: Kind,
    from_month: Month,
    cause: AmountCause,
    *,
    before: int,
    after: int,
    provisional: bool,
) -> events.BenefitsAdjusted.Fact:
    """A benefit has another amount from a month on; amounts in fen."""
    return events.BenefitsAdjusted.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("ben", benefit_id)),
        person_id=ids.to_text("per", person_id),
        kind=BENEFIT_KINDS[kind],
        from_month=to_month(from_month),
        before=money_pb2.Money(fen=before),
        monthly=money_pb2.Money(fen=after),
        cause=AMOUNT_CAUSES[cause],
        provisional=provisional,
    )
