"""Facts of events: what enrollment says, as values, and what benefits says, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import date_of, money_of, month_of, to_money, to_month, word_of
from hrss.benefits.v1 import benefits_events_pb2 as events
from hrss.benefits.v1 import benefits_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as heard_pb
from hrss.enrollment.v1 import enrollment_pb2 as register_pb
from hrss.type.v1 import fact_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.domain.retirement import Track
from services.benefits.heard import (
    EndedParticipation,
    HeardCredit,
    HeardPerson,
    SettledAccount,
    SettledItem,
    StartedParticipation,
)
from services.benefits.history import Scheme, Standing
from services.benefits.messages.states import BENEFIT_KINDS, END_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from services.benefits.store.rows import BenefitRow, PaymentRow

SCHEMES = {
    register_pb.SCHEME_EMPLOYEE_PENSION: Scheme.EMPLOYEE_PENSION,
    register_pb.SCHEME_UNEMPLOYMENT: Scheme.UNEMPLOYMENT,
    register_pb.SCHEME_WORK_INJURY: Scheme.WORK_INJURY,
}
STANDINGS = {
    register_pb.CONTRIBUTION_STATE_PAID: Standing.PAID,
    register_pb.CONTRIBUTION_STATE_UNPAID: Standing.UNPAID,
    register_pb.CONTRIBUTION_STATE_DEEMED: Standing.DEEMED,
}
SEXES = {register_pb.SEX_MALE: "MALE", register_pb.SEX_FEMALE: "FEMALE"}
HEARD_TRACKS: dict[register_pb.Track.ValueType, Track | None] = {
    register_pb.TRACK_UNSPECIFIED: None,
    register_pb.TRACK_MALE_60: Track.MALE_60,
    register_pb.TRACK_FEMALE_55: Track.FEMALE_55,
    register_pb.TRACK_FEMALE_50: Track.FEMALE_50,
}
LEAVING_REASONS = {
    register_pb.END_REASON_RESIGNED: "RESIGNED",
    register_pb.END_REASON_DISMISSED: "DISMISSED",
    register_pb.END_REASON_CONTRACT_EXPIRED: "CONTRACT_EXPIRED",
    register_pb.END_REASON_RETIRED: "RETIRED",
    register_pb.END_REASON_DIED: "DIED",
}
CREDIT_KINDS = {
    heard_pb.AccountCredited.CREDIT_KIND_CONTRIBUTION: "CONTRIBUTION",
    heard_pb.AccountCredited.CREDIT_KIND_INTEREST: "INTEREST",
    heard_pb.AccountCredited.CREDIT_KIND_IMPORTED_BALANCE: "IMPORTED_BALANCE",
}


def heard_person(fact: heard_pb.PersonRegistered.Fact | heard_pb.PersonChanged.Fact) -> HeardPerson:
    """A registered or changed person; the sealed identity is the card service's business and stays unread."""
    return HeardPerson(
        person_id=ids.parse("per", fact.header.aggregate_id),
        birth_date=date_of(fact.birth_date, "birth_date"),
        sex=word_of(SEXES, fact.sex, "sex"),
        division=fact.division,
    )


def heard_death(fact: heard_pb.PersonDied.Fact) -> tuple[UUID, Month | None]:
    """The month of a death; none when it was taken back."""
    month = Month.of(date_of(fact.death_date, "death_date")) if fact.HasField("death_date") else None
    return ids.parse("per", fact.header.aggregate_id), month


def heard_merger(fact: heard_pb.PersonsMerged.Fact | heard_pb.PersonsUnmerged.Fact) -> tuple[UUID, UUID]:
    """The record that went up in another, and that one."""
    return ids.parse("per", fact.header.aggregate_id), ids.parse("per", fact.survivor_id)


def started_participation(fact: heard_pb.ParticipationStarted.Fact) -> StartedParticipation:
    """A participation that started."""
    return StartedParticipation(
        participation_id=ids.parse("par", fact.header.aggregate_id),
        person_id=ids.parse("per", fact.person_id),
        employer_id=ids.parse("emp", fact.employer_id),
        scheme=word_of(SCHEMES, fact.scheme, "scheme"),
        start_month=month_of(fact.start_month, "start_month"),
        track=word_of(HEARD_TRACKS, fact.track, "track"),
        division=fact.division,
    )


def ended_participation(fact: heard_pb.ParticipationEnded.Fact) -> EndedParticipation:
    """A participation that ended."""
    return EndedParticipation(
        participation_id=ids.parse("par", fact.header.aggregate_id),
        person_id=ids.parse("per", fact.person_id),
        scheme=word_of(SCHEMES, fact.scheme, "scheme"),
        end_month=month_of(fact.end_month, "end_month"),
        reason=word_of(LEAVING_REASONS, fact.reason, "reason"),
        contributions_version=fact.contributions_version,
    )


def settled_items(fact: heard_pb.ContributionsSettled.Fact) -> Iterator[SettledItem]:
    """The schemes of a settled person-month."""
    person_id = ids.parse("per", fact.header.aggregate_id)
    month = month_of(fact.month, "month")
    for item in fact.items:
        yield SettledItem(
            person_id=person_id,
            scheme=word_of(SCHEMES, item.scheme, "items.scheme"),
            month=month,
            base=money_of(item.base, "items.base"),
            standing=word_of(STANDINGS, item.state, "items.state"),
        )


def heard_credit(fact: heard_pb.AccountCredited.Fact) -> HeardCredit:
    """An amount that was credited."""
    return HeardCredit(
        person_id=_account_holder(fact.header.aggregate_id),
        version=fact.header.version,
        kind=word_of(CREDIT_KINDS, fact.kind, "kind"),
        year=fact.year,
        booking_month=month_of(fact.booked_month, "booked_month"),
        amount=Money(fact.amount.fen),
        balance=money_of(fact.balance, "balance"),
    )


def settled_account(fact: heard_pb.AccountSettled.Fact) -> SettledAccount:
    """An account that was settled at retirement."""
    return SettledAccount(
        person_id=_account_holder(fact.header.aggregate_id),
        retirement_month=month_of(fact.retirement_month, "retirement_month"),
        balance=money_of(fact.balance, "balance"),
        provisional=fact.provisional,
        contributions_version=fact.contributions_version,
    )


def benefit_started(benefit: BenefitRow) -> events.BenefitStarted.Fact:
    """Say that a benefit starts."""
    fact = events.BenefitStarted.Fact(
        header=_header(benefit.benefit_id),
        person_id=ids.to_text("per", benefit.person_id),
        kind=BENEFIT_KINDS[benefit.kind],
        monthly=to_money(benefit.monthly),
        first_month=to_month(benefit.first_month),
        provisional=benefit.provisional,
    )
    if benefit.last_month is not None:
        fact.last_month.CopyFrom(to_month(benefit.last_month))
    if fact.kind == pb.BENEFIT_KIND_EMPLOYEE_PENSION:
        fact.retirement_month.CopyFrom(to_month(benefit.event_month))
    return fact


def benefit_ended(benefit: BenefitRow) -> events.BenefitEnded.Fact:
    """Say that a benefit ended."""
    assert benefit.last_month is not None
    assert benefit.end_reason is not None
    return events.BenefitEnded.Fact(
        header=_header(benefit.benefit_id),
        person_id=ids.to_text("per", benefit.person_id),
        kind=BENEFIT_KINDS[benefit.kind],
        last_month=to_month(benefit.last_month),
        reason=END_REASONS[benefit.end_reason],
    )


def payment_confirmed(payment: PaymentRow) -> events.PaymentConfirmed.Fact:
    """Say that the bank credited a payment."""
    return events.PaymentConfirmed.Fact(
        header=_header(payment.benefit_id),
        person_id=ids.to_text("per", payment.person_id),
        payment_id=ids.to_text("pmt", payment.payment_id),
        month=to_month(payment.month),
        amount=to_money(payment.amount),
    )


def payment_returned(payment: PaymentRow) -> events.PaymentReturned.Fact:
    """Say that the bank sent a payment back."""
    return events.PaymentReturned.Fact(
        header=_header(payment.benefit_id),
        person_id=ids.to_text("per", payment.person_id),
        payment_id=ids.to_text("pmt", payment.payment_id),
        month=to_month(payment.month),
    )


def _header(benefit_id: UUID) -> fact_pb2.FactHeader:
    return fact_pb2.FactHeader(aggregate_id=ids.to_text("ben", benefit_id))


def _account_holder(aggregate_id: str) -> UUID:
    """The account of the employee pension is keyed by its person."""
    return ids.parse("per", aggregate_id)
