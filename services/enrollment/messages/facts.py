"""What enrolment announces, as facts of the contract. No fact names anybody, but for the sealed identity."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from chassis.sealed import Sealer
from chassis.values import to_date, to_money, to_month
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2
from hrss.type.v1 import calendar_pb2, fact_pb2, money_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.identity import Sex
from kernel.money import Money
from services.enrollment.accounting import ContributionState, EntryKind
from services.enrollment.domain.contributions import Scheme
from services.enrollment.messages.words import CONTRIBUTION_STATES, END_REASONS, SCHEMES, SEXES, TRACKS
from services.enrollment.register import Employer, EndReason, Participation, Person

SEALED_TYPE = events.PersonRegistered.DESCRIPTOR.full_name
SEALED_FIELD = "sealed_identity"
_KINDS = {
    EntryKind.CONTRIBUTION: events.AccountCredited.CREDIT_KIND_CONTRIBUTION,
    EntryKind.INTEREST: events.AccountCredited.CREDIT_KIND_INTEREST,
    EntryKind.IMPORTED_BALANCE: events.AccountCredited.CREDIT_KIND_IMPORTED_BALANCE,
    EntryKind.TRANSFERRED_OUT: events.AccountCredited.CREDIT_KIND_TRANSFERRED_OUT,
}


def person_registered(person: Person, exchange: Sealer) -> events.PersonRegistered.Fact:
    """A person was registered. The sealed identity is JSON: name and id_no."""
    return registered(
        person.person_id, person.birth_date, person.sex, person.division, sealed_identity(person, exchange)
    )


def sealed_identity(person: Person, exchange: Sealer) -> bytes:
    """Name and number as the card service is handed them: JSON, sealed for that person."""
    identity = json.dumps({"name": person.name, "id_no": person.id_no}, ensure_ascii=False)
    return exchange.seal(SEALED_TYPE, SEALED_FIELD, ids.to_text("per", person.person_id), identity)


def registered(
    person_id: UUID, birth_date: date, sex: Sex, division: str, sealed: bytes
) -> events.PersonRegistered.Fact:
    """A person was registered whose identity is sealed already."""
    return events.PersonRegistered.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("per", person_id)),
        birth_date=to_date(birth_date),
        sex=SEXES[sex],
        division=division,
        sealed_identity=sealed,
    )


def person_changed(person: Person, exchange: Sealer) -> events.PersonChanged.Fact:
    """The record of a person was changed or corrected; sealed as in PersonRegistered, under its own event type."""
    key = ids.to_text("per", person.person_id)
    identity = json.dumps({"name": person.name, "id_no": person.id_no}, ensure_ascii=False)
    return events.PersonChanged.Fact(
        header=fact_pb2.FactHeader(aggregate_id=key),
        birth_date=to_date(person.birth_date),
        sex=SEXES[person.sex],
        division=person.division,
        sealed_identity=exchange.seal(events.PersonChanged.DESCRIPTOR.full_name, SEALED_FIELD, key, identity),
    )


def person_died(person_id: UUID, day: date | None) -> events.PersonDied.Fact:
    """A death was recorded, its day corrected, or (without a day) taken back."""
    header = fact_pb2.FactHeader(aggregate_id=ids.to_text("per", person_id))
    return events.PersonDied.Fact(header=header, death_date=to_date(day) if day else None)


def persons_merged(other_id: UUID, survivor_id: UUID) -> events.PersonsMerged.Fact:
    """A record went up in another one."""
    header = fact_pb2.FactHeader(aggregate_id=ids.to_text("per", other_id))
    return events.PersonsMerged.Fact(header=header, survivor_id=ids.to_text("per", survivor_id))


def persons_unmerged(other_id: UUID, survivor_id: UUID) -> events.PersonsUnmerged.Fact:
    """A record stands by itself again."""
    header = fact_pb2.FactHeader(aggregate_id=ids.to_text("per", other_id))
    return events.PersonsUnmerged.Fact(header=header, survivor_id=ids.to_text("per", survivor_id))


def employer_changed(employer: Employer, start: Month) -> events.EmployerChanged.Fact:
    """An employer is another from a month on."""
    return events.EmployerChanged.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("emp", employer.employer_id)),
        start_month=to_month(start),
        division=employer.division,
        injury_class=employer.injury_class,
    )


def employer_deregistered(employer_id: UUID, day: date) -> events.EmployerDeregistered.Fact:
    """An employer is no more."""
    header = fact_pb2.FactHeader(aggregate_id=ids.to_text("emp", employer_id))
    return events.EmployerDeregistered.Fact(header=header, deregister_date=to_date(day))


def employer_registered(employer: Employer) -> events.EmployerRegistered.Fact:
    """An employer was registered."""
    return events.EmployerRegistered.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("emp", employer.employer_id)),
        division=employer.division,
        injury_class=employer.injury_class,
    )


def participation_started(one: Participation, division: str) -> events.ParticipationStarted.Fact:
    """A participation started; `division` is that of the employer, or of a cover's place of insurance."""
    return events.ParticipationStarted.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("par", one.participation_id)),
        person_id=ids.to_text("per", one.person_id),
        employer_id=ids.to_text("emp", one.employer_id) if one.employer_id else "",
        scheme=SCHEMES[one.scheme],
        start_month=to_month(one.start_month),
        track=TRACKS[one.track] if one.track else enrollment_pb2.TRACK_UNSPECIFIED,
        division=division,
    )


def participation_ended(
    one: Participation, month: Month, reason: EndReason, *, contributions_version: int
) -> events.ParticipationEnded.Fact:
    """A participation ended; who decides because of it waits for the contributions that went before."""
    return events.ParticipationEnded.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("par", one.participation_id)),
        person_id=ids.to_text("per", one.person_id),
        scheme=SCHEMES[one.scheme],
        end_month=to_month(month),
        reason=END_REASONS[reason],
        contributions_version=contributions_version,
    )


def contributions_settled(
    person_id: UUID, month: Month, items: Mapping[Scheme, tuple[Money, ContributionState]], source: str
) -> events.ContributionsSettled.Fact:
    """A person-month was settled: base and state by scheme."""
    return events.ContributionsSettled.Fact(
        header=fact_pb2.FactHeader(aggregate_id=f"per_{person_id.hex}"),
        month=calendar_pb2.Month(year=month.year, month=month.month),
        items=[
            events.ContributionsSettled.Item(
                scheme=SCHEMES[scheme], base=money_pb2.Money(fen=base.fen), state=CONTRIBUTION_STATES[state]
            )
            for scheme, (base, state) in items.items()
        ],
        source=source,
    )


def account_credited(
    person_id: UUID, kind: EntryKind, booked: Month, *, amount: Money, balance: Money
) -> events.AccountCredited.Fact:
    """An amount was credited to a personal account, booked in a month."""
    return events.AccountCredited.Fact(
        header=fact_pb2.FactHeader(aggregate_id=f"per_{person_id.hex}"),
        kind=_KINDS[kind],
        year=booked.year,
        booked_month=calendar_pb2.Month(year=booked.year, month=booked.month),
        amount=money_pb2.Money(fen=amount.fen),
        balance=money_pb2.Money(fen=balance.fen),
    )


def interest_credited(
    closed: Sequence[tuple[UUID, int, int]], booked: Month, today: date
) -> list[events.AccountCredited.Fact]:
    """Interest was credited to personal accounts: person, interest and balance in fen of each.

    The same facts as `account_credited` makes; copied from one and filled in, because a city has millions.
    """
    like = account_credited(UUID(int=0), EntryKind.INTEREST, booked, amount=Money(1), balance=Money.ZERO)
    like.header.business_date.CopyFrom(to_date(today))
    made = []
    for person_id, interest_fen, balance_fen in closed:
        fact = events.AccountCredited.Fact()
        fact.CopyFrom(like)
        fact.header.aggregate_id = f"per_{person_id.hex}"
        fact.amount.fen = interest_fen
        fact.balance.fen = balance_fen
        made.append(fact)
    return made


def account_settled(
    person_id: UUID, retirement: Month, balance: Money, *, provisional: bool, contributions_version: int
) -> events.AccountSettled.Fact:
    """An account was settled at retirement; who listens waits for the contributions that went before."""
    return events.AccountSettled.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("per", person_id)),
        retirement_month=to_month(retirement),
        balance=to_money(balance),
        provisional=provisional,
        contributions_version=contributions_version,
    )
