"""Recoveries and what excludes one another, as answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_date, to_money, to_month
from hrss.benefits.v1 import keeping_service_pb2 as pb
from kernel import ids
from kernel.money import Money
from services.benefits.keeping import (
    Way,
)
from services.benefits.messages.keeping_codes import METHODS, WAYS
from services.benefits.messages.keeping_words import recovery_en, recovery_zh
from services.benefits.messages.states import BENEFIT_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from asyncpg import Record

    from services.benefits.operations.keeping_queries import Recoveries, RecoveryShown


def person_recoveries(shown: Recoveries) -> pb.ListPersonRecoveriesResponse:
    """What a person was paid too much."""
    return pb.ListPersonRecoveriesResponse(
        recoveries=[_recovery(one) for one in shown.recoveries], balance=to_money(shown.balance)
    )


def recoveries(shown: Recoveries) -> pb.ListRecoveriesResponse:
    """What is still owed."""
    return pb.ListRecoveriesResponse(
        recoveries=[_recovery(one) for one in shown.recoveries], next_page_token=shown.next_page_token
    )


def recovery(shown: RecoveryShown) -> pb.GetRecoveryResponse:
    """One recovery."""
    return pb.GetRecoveryResponse(recovery=_recovery(shown))


def repaid(shown: RecoveryShown) -> pb.RecordRepaymentResponse:
    """A recovery after money came back."""
    return pb.RecordRepaymentResponse(recovery=_recovery(shown))


def doubles(page: tuple[Sequence[Record], str]) -> pb.ListDoubleBenefitsResponse:
    """Who draws what excludes one another."""
    return pb.ListDoubleBenefitsResponse(
        persons=[
            pb.DoubleBenefit(
                person_id=ids.to_text("per", row["root_id"]),
                benefit_ids=[ids.to_text("ben", one) for one in row["benefit_ids"]],
            )
            for row in page[0]
        ],
        next_page_token=page[1],
    )


def _recovery(shown: RecoveryShown) -> pb.Recovery:
    one = shown.recovery
    reply = pb.Recovery(
        recovery_id=ids.to_text("rcv", one.recovery_id),
        benefit_id=ids.to_text("ben", one.benefit_id),
        person_id=ids.to_text("per", one.person_id),
        kind=BENEFIT_KINDS[one.kind],
        reason=one.reason,
        first_month=to_month(one.first_month),
        last_month=to_month(one.last_month),
        amount=to_money(one.amount),
        recovered=to_money(one.recovered),
        written_off=to_money(one.written_off),
        cancelled=to_money(one.cancelled),
        balance=to_money(one.balance),
        held=to_money(one.held),
        found_date=to_date(one.found_date),
        entries=[
            pb.RecoveryEntry(
                way=WAYS[Way(row["way"])],
                amount=to_money(Money(row["amount_fen"])),
                reference=row["reference"],
                entry_date=to_date(row["business_date"]),
            )
            for row in shown.entries
        ],
        statement_zh=recovery_zh(one, shown.plan),
        statement_en=recovery_en(one, shown.plan),
    )
    if shown.plan is not None and shown.last_month is not None:
        reply.plan.CopyFrom(
            pb.RecoveryPlan(
                method=METHODS[shown.plan.method],
                monthly=to_money(shown.plan.monthly),
                first_month=to_month(shown.plan.first_month),
                last_month=to_month(shown.last_month),
                benefit_id=_optional("ben", shown.plan.benefit_id),
                evidence_ref=shown.plan.agreement,
                due_now=to_money(shown.due_now),
            )
        )
    return reply


def _optional(prefix: str, value: UUID | None) -> str:
    return ids.to_text(prefix, value) if value else ""
