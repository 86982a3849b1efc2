"""What is said of a benefit whose amount changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_date, to_month
from hrss.benefits.v1 import benefits_events_pb2 as events
from hrss.type.v1 import fact_pb2, money_pb2
from kernel import ids
from services.benefits.messages.states import AMOUNT_CAUSES, BENEFIT_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
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


def many_adjusted(
    said: Sequence[tuple[UUID, UUID, str, int, int, bool]], from_month: Month, cause: AmountCause, today: date
) -> list[events.BenefitsAdjusted.Fact]:
    """Many benefits have another amount: benefit, person, kind, fen before and after, provisional or not, of each.

    The same facts as `adjusted` makes; copied from one and filled in, because a city has millions.
    """
    like = events.BenefitsAdjusted.Fact(
        header=fact_pb2.FactHeader(business_date=to_date(today)),
        from_month=to_month(from_month),
        cause=AMOUNT_CAUSES[cause],
    )
    kinds = {kind.value: number for kind, number in BENEFIT_KINDS.items()}
    made = []
    for benefit_id, person_id, kind, before, after, provisional in said:
        fact = events.BenefitsAdjusted.Fact()
        fact.CopyFrom(like)
        fact.header.aggregate_id = f"ben_{benefit_id.hex}"
        fact.person_id = f"per_{person_id.hex}"
        fact.kind = kinds[kind]
        fact.before.fen = before
        fact.monthly.fen = after
        fact.provisional = provisional
        made.append(fact)
    return made
