"""Facts of events: what enrollment says, as values, and what benefits says, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from chassis.values import date_of, money_of, month_of, to_money, to_month, word_of
from hrss.benefits.v1 import benefits_events_pb2 as events
from hrss.enrollment.v1 import enrollment_events_pb2 as heard_pb
from hrss.enrollment.v1 import enrollment_pb2 as register_pb
from hrss.type.v1 import fact_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.benefits.domain.retirement import Track
from services.benefits.heard import (
    BroughtInYear,
    EndedParticipation,
    HeardCredit,
    HeardPerson,
    LeftRelation,
    SettledAccount,
    SettledItem,
    StartedParticipation,
)
from services.benefits.history import MONTHS_PER_YEAR, NOTHING, Scheme, Standing, YearRecord
from services.benefits.lifecycle import PENSIONS
from services.benefits.messages.states import BENEFIT_KINDS, END_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.benefits.store.rows import BenefitRow, PaymentRow

# Schemes from which benefits pays something; what is said of others (injury of projects and platforms) is heard and
# leaves nothing here.
SCHEMES = {
    register_pb.SCHEME_EMPLOYEE_PENSION: Scheme.EMPLOYEE_PENSION,
    register_pb.SCHEME_UNEMPLOYMENT: Scheme.UNEMPLOYMENT,
    register_pb.SCHEME_WORK_INJURY: Scheme.WORK_INJURY,
    register_pb.SCHEME_GOVERNMENT_PENSION: Scheme.GOVERNMENT_PENSION,
    register_pb.SCHEME_OCCUPATIONAL_ANNUITY: Scheme.OCCUPATIONAL_ANNUITY,
    register_pb.SCHEME_RESIDENT_PENSION: Scheme.RESIDENT_PENSION,
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
    # The cover of one without an employer: ended by own wish, or because an employment began. Both are voluntary.
    register_pb.END_REASON_STOPPED: "RESIGNED",
    register_pb.END_REASON_EMPLOYED: "RESIGNED",
}
NO_EMPLOYER = UUID(int=0)  # of a flexible worker, who insures themself
CREDIT_KINDS = {
    heard_pb.AccountCredited.CREDIT_KIND_CONTRIBUTION: "CONTRIBUTION",
    heard_pb.AccountCredited.CREDIT_KIND_INTEREST: "INTEREST",
    heard_pb.AccountCredited.CREDIT_KIND_IMPORTED_BALANCE: "IMPORTED_BALANCE",
    # A whole balance that leaves is one that came, with the other sign: what was booked before is over with that year.
    heard_pb.AccountCredited.CREDIT_KIND_TRANSFERRED_OUT: "IMPORTED_BALANCE",
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


def started_participations(fact: heard_pb.ParticipationStarted.Fact) -> Iterator[StartedParticipation]:
    """A participation that started, when its scheme pays benefits."""
    if fact.scheme not in SCHEMES:
        return
    yield StartedParticipation(
        participation_id=ids.parse("par", fact.header.aggregate_id),
        person_id=ids.parse("per", fact.person_id),
        employer_id=ids.parse("emp", fact.employer_id) if fact.employer_id else NO_EMPLOYER,
        scheme=word_of(SCHEMES, fact.scheme, "scheme"),
        start_month=month_of(fact.start_month, "start_month"),
        track=word_of(HEARD_TRACKS, fact.track, "track"),
        division=fact.division,
    )


def ended_participation(fact: heard_pb.ParticipationEnded.Fact) -> EndedParticipation:
    """A participation that ended, in whatever scheme: a death ends every benefit."""
    return EndedParticipation(
        participation_id=ids.parse("par", fact.header.aggregate_id),
        person_id=ids.parse("per", fact.person_id),
        end_month=month_of(fact.end_month, "end_month"),
        reason=word_of(LEAVING_REASONS, fact.reason, "reason"),
        contributions_version=fact.contributions_version,
    )


def settled_items(fact: heard_pb.ContributionsSettled.Fact) -> Iterator[SettledItem]:
    """The schemes of a settled person-month that pay benefits."""
    person_id = ids.parse("per", fact.header.aggregate_id)
    month = month_of(fact.month, "month")
    for item in fact.items:
        if item.scheme not in SCHEMES:
            continue
        yield SettledItem(
            person_id=person_id,
            scheme=word_of(SCHEMES, item.scheme, "items.scheme"),
            month=month,
            base=money_of(item.base, "items.base"),
            standing=word_of(STANDINGS, item.state, "items.state"),
        )


def brought_in_years(fact: heard_pb.HistoryBroughtIn.Fact) -> Iterator[BroughtInYear]:
    """The years that were brought in, one for each scheme."""
    person_id = ids.parse("per", fact.header.aggregate_id)
    for year in fact.years:
        bases, letters = [0] * MONTHS_PER_YEAR, [NOTHING] * MONTHS_PER_YEAR
        for run in year.runs:
            first, last = run.first_month - 1, run.first_month - 1 + run.month_count
            if not 0 <= first < last <= MONTHS_PER_YEAR:
                raise InvalidInput("MONTH_IMPOSSIBLE", "a run lies within its year", field="years.runs")
            bases[first:last] = [money_of(run.base, "years.runs.base").fen] * run.month_count
            letters[first:last] = word_of(STANDINGS, run.state, "years.runs.state").value * run.month_count
        record = YearRecord(tuple(bases), "".join(letters))
        for scheme in year.schemes:
            yield BroughtInYear(person_id, word_of(SCHEMES, scheme, "years.schemes"), year.year, record)


def left_relations(fact: heard_pb.RelationTransferred.Fact) -> Iterator[LeftRelation]:
    """The relation, when it is one that left."""
    if fact.direction == register_pb.TRANSFER_DIRECTION_OUT:
        yield LeftRelation(ids.parse("per", fact.header.aggregate_id), month_of(fact.through_month, "through_month"))


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
    if benefit.kind in PENSIONS:
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
