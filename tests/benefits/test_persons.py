"""Deaths, changed records and mergers: what benefits makes of what enrollment says of a person."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from chassis.values import to_date, to_month
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register_pb
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Refused
from services.benefits.history import Scheme
from services.benefits.store import register
from tests.benefits.builders import TODAY, Benefits, Enrollment, refused
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database


def per(person_id: UUID) -> str:
    """A person's id in the contract."""
    return ids.to_text("per", person_id)


async def died(enrollment: Enrollment, person_id: UUID, day: date | None) -> None:
    """Enrollment says a death, or that there was none."""
    fact = heard.PersonDied.Fact(header=enrollment.header(per(person_id)), death_date=to_date(day) if day else None)
    await enrollment.say(heard.PersonDied, fact)


async def merged(enrollment: Enrollment, other: UUID, survivor: UUID, kind: Any = heard.PersonsMerged) -> None:
    """Enrollment says a merger, or that it was taken back."""
    fact = kind.Fact(header=enrollment.header(per(other)), survivor_id=per(survivor))
    await enrollment.say(kind, fact)


async def test_the_death_of_a_pensioner_ends_the_pension(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire()
    await benefits.approve(await benefits.prepare_pension(person_id))

    await died(enrollment, person_id, TODAY)

    (row,) = await owner_fetch(database, "SELECT state, end_reason FROM benefit")
    assert (row["state"], row["end_reason"]) == ("ENDED", "DIED")


async def test_nothing_is_prepared_for_the_dead_until_a_death_is_taken_back(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire()
    await died(enrollment, person_id, TODAY)
    with refused(Refused, "PERSON_DIED"):
        await benefits.prepare_pension(person_id)

    await died(enrollment, person_id, None)

    assert (await benefits.prepare_pension(person_id)).determination.person_id == person_id


async def test_a_corrected_birth_is_the_birth(database: Database, enrollment: Enrollment) -> None:
    person_id = await enrollment.person("1966-03-12")
    fact = heard.PersonChanged.Fact(
        header=enrollment.header(per(person_id)),
        birth_date=to_date(date(1967, 3, 12)),
        sex=register_pb.SEX_MALE,
        division="990000",
    )

    await enrollment.say(heard.PersonChanged, fact)

    (row,) = await owner_fetch(database, "SELECT birth_date FROM person")
    assert row["birth_date"] == date(1967, 3, 12)


async def test_months_of_a_merged_record_count_for_the_survivor_and_for_both_ids(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    survivor, other = await enrollment.person(), await enrollment.person()
    await enrollment.paid(survivor, "2024-07", "2025-02", "5000")
    await enrollment.paid(other, "2024-01", "2024-06", "4000")

    async def months(person_id: UUID) -> list[str]:
        history = await benefits.run(lambda tx: register.history(tx, person_id, Scheme.EMPLOYEE_PENSION))
        return [f"{one.month} {one.base}" for one in history.months]

    apart = [await months(one) for one in (survivor, other)]
    await merged(enrollment, other, survivor)
    together = [await months(one) for one in (survivor, other)]
    await merged(enrollment, other, survivor, heard.PersonsUnmerged)

    assert together == [sorted(apart[0] + apart[1])] * 2
    assert [await months(one) for one in (survivor, other)] == apart


async def test_a_pension_under_the_merged_id_stands_in_the_way_of_a_second_one(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    other = await enrollment.about_to_retire()
    await benefits.approve(await benefits.prepare_pension(other))
    survivor = await enrollment.person()

    await merged(enrollment, other, survivor)

    with refused(Refused, "PENSION_ALREADY_DETERMINED"):
        await benefits.prepare_pension(survivor)


async def test_a_participation_that_starts_again_goes_on(database: Database, enrollment: Enrollment) -> None:
    person_id = await enrollment.person()
    parts = await enrollment.hired(person_id, "2024-01")
    await enrollment.left(person_id, parts, "2025-06", register_pb.END_REASON_DIED)
    facts = [
        heard.ParticipationStarted.Fact(
            header=enrollment.header(ids.to_text("par", part)),
            person_id=per(person_id),
            employer_id=ids.to_text("emp", ids.new_id()),
            scheme=scheme,
            start_month=to_month(Month(2024, 1)),
            track=register_pb.TRACK_MALE_60,
            division="320613",
        )
        for scheme, part in parts.items()
    ]

    await enrollment.say(heard.ParticipationStarted, *facts)

    rows = await owner_fetch(database, "SELECT end_month, end_reason FROM participation")
    assert [(row["end_month"], row["end_reason"]) for row in rows] == [(None, None)] * 3
