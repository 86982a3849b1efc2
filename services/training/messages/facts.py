"""Facts of events: what enrollment and benefits say, as values, and what training says, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import month_of, to_date, to_money, word_of
from hrss.benefits.v1 import benefits_events_pb2 as benefits_pb
from hrss.benefits.v1 import benefits_pb2
from hrss.enrollment.v1 import enrollment_events_pb2 as enrollment_pb
from hrss.enrollment.v1 import enrollment_pb2 as register_pb
from hrss.training.v1 import training_events_pb2 as events
from hrss.type.v1 import fact_pb2
from kernel import ids
from services.training.heard import EndedBenefit, EndedEmployment, SettledMonth, StartedBenefit, StartedEmployment
from services.training.messages.states import ISSUER_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from services.training.store.rows import CertificateRow, ClaimRow, OrderRow

# A deemed month (视同缴费) belongs to the pension and is no paid month of unemployment insurance.
_PAID = {
    register_pb.CONTRIBUTION_STATE_PAID: True,
    register_pb.CONTRIBUTION_STATE_UNPAID: False,
    register_pb.CONTRIBUTION_STATE_DEEMED: False,
}


def heard_person(fact: enrollment_pb.PersonRegistered.Fact) -> UUID:
    """A registered person; birth, sex and the sealed identity are no business of training and stay unread."""
    return ids.parse("per", fact.header.aggregate_id)


def heard_merger(fact: enrollment_pb.PersonsMerged.Fact | enrollment_pb.PersonsUnmerged.Fact) -> tuple[UUID, UUID]:
    """The record that went up in another, and that one."""
    return ids.parse("per", fact.header.aggregate_id), ids.parse("per", fact.survivor_id)


def started_employments(fact: enrollment_pb.ParticipationStarted.Fact) -> Iterator[StartedEmployment]:
    """The employment behind a participation, when it has unemployment insurance."""
    if fact.scheme == register_pb.SCHEME_UNEMPLOYMENT:
        yield StartedEmployment(
            ids.parse("par", fact.header.aggregate_id),
            ids.parse("per", fact.person_id),
            month_of(fact.start_month, "start_month"),
        )


def ended_employments(fact: enrollment_pb.ParticipationEnded.Fact) -> Iterator[EndedEmployment]:
    """The same at its end."""
    if fact.scheme == register_pb.SCHEME_UNEMPLOYMENT:
        yield EndedEmployment(ids.parse("par", fact.header.aggregate_id), month_of(fact.end_month, "end_month"))


def settled_months(fact: enrollment_pb.ContributionsSettled.Fact) -> Iterator[SettledMonth]:
    """The month of unemployment insurance in a settled person-month."""
    for item in fact.items:
        if item.scheme == register_pb.SCHEME_UNEMPLOYMENT:
            yield SettledMonth(
                ids.parse("per", fact.header.aggregate_id),
                month_of(fact.month, "month"),
                word_of(_PAID, item.state, "items.state"),
            )


def started_benefits(fact: benefits_pb.BenefitStarted.Fact) -> Iterator[StartedBenefit]:
    """A benefit that started, when it is one of unemployment."""
    if fact.kind == benefits_pb2.BENEFIT_KIND_UNEMPLOYMENT:
        yield StartedBenefit(
            ids.parse("ben", fact.header.aggregate_id),
            ids.parse("per", fact.person_id),
            month_of(fact.first_month, "first_month"),
            month_of(fact.last_month, "last_month"),
        )


def ended_benefits(fact: benefits_pb.BenefitEnded.Fact) -> Iterator[EndedBenefit]:
    """The same at its end."""
    if fact.kind == benefits_pb2.BENEFIT_KIND_UNEMPLOYMENT:
        yield EndedBenefit(ids.parse("ben", fact.header.aggregate_id), month_of(fact.last_month, "last_month"))


def certificate_recorded(row: CertificateRow) -> events.CertificateRecorded.Fact:
    """Say that a certificate was recorded."""
    return events.CertificateRecorded.Fact(
        header=_header("crt", row.certificate_id),
        person_id=ids.to_text("per", row.person_id),
        issuer_type=ISSUER_TYPES[row.issuer_type],
        occupation=row.occupation,
        level=row.level,
        issue_date=to_date(row.issue_date),
    )


def claim_submitted(row: ClaimRow) -> events.ClaimSubmitted.Fact:
    """Say that a claim was submitted."""
    return events.ClaimSubmitted.Fact(
        header=_header("clm", row.claim_id),
        person_id=ids.to_text("per", row.person_id),
        certificate_id=ids.to_text("crt", row.certificate_id),
        apply_date=to_date(row.apply_date),
    )


def claim_approved(order: OrderRow) -> events.ClaimApproved.Fact:
    """Say that a claim was approved."""
    return events.ClaimApproved.Fact(
        header=_header("clm", order.claim_id),
        person_id=ids.to_text("per", order.person_id),
        certificate_id=ids.to_text("crt", order.certificate_id),
        order_id=ids.to_text("ord", order.order_id),
        amount=to_money(order.amount),
    )


def claim_rejected(row: ClaimRow) -> events.ClaimRejected.Fact:
    """Say that a claim was rejected."""
    return events.ClaimRejected.Fact(
        header=_header("clm", row.claim_id),
        person_id=ids.to_text("per", row.person_id),
        certificate_id=ids.to_text("crt", row.certificate_id),
        failures=[failure["reason"] for failure in row.failures],
    )


def subsidy_paid(order: OrderRow) -> events.SubsidyPaid.Fact:
    """Say that the bank credited a subsidy."""
    return events.SubsidyPaid.Fact(
        header=_header("clm", order.claim_id),
        person_id=ids.to_text("per", order.person_id),
        certificate_id=ids.to_text("crt", order.certificate_id),
        order_id=ids.to_text("ord", order.order_id),
        amount=to_money(order.amount),
    )


def _header(prefix: str, aggregate_id: UUID) -> fact_pb2.FactHeader:
    return fact_pb2.FactHeader(aggregate_id=ids.to_text(prefix, aggregate_id))
