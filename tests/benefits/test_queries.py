"""What is only shown: retirement and estimates, with what is known and what was assumed."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import pytest

from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel import ids
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.money import Money
from services.benefits.commands import AskRetirement, EstimatePension
from services.benefits.domain.retirement import Track
from services.benefits.operations import queries
from tests.benefits.builders import TODAY, Benefits, Enrollment, month, refused
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.operations.queries import Estimate, RetirementShown


async def retirement(benefits: Benefits, person_id: UUID, track: Track | None = None) -> RetirementShown:
    command = AskRetirement(person_id, track)
    shown: RetirementShown = await benefits.run(lambda tx: queries.retirement(tx, command, benefits.policy))
    return shown


async def estimate(
    benefits: Benefits,
    person_id: UUID,
    chosen: str | None = None,
    *,
    today: date = TODAY,
    base: str | None = None,
) -> Estimate:
    command = EstimatePension(
        person_id=person_id,
        retirement_month=month(chosen) if chosen else None,
        track=None,
        future_base=Money.yuan(base) if base else None,
    )
    made: Estimate = await benefits.run(lambda tx: queries.estimate_pension(tx, command, benefits.policy), today=today)
    return made


async def test_the_retirement_of_a_man_born_in_march_1966(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()

    shown = await retirement(benefits, person_id)

    assert shown.retirement.statutory == month("2026-07")
    assert (shown.retirement.age, shown.retirement.delay_months) == ("60y4m", 4)
    assert (shown.contribution_months, shown.as_of) == (336, month("2026-07"))


async def test_a_retirement_without_contributions_has_no_date_of_knowledge(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await retirement(benefits, await enrollment.person())

    assert (shown.contribution_months, shown.as_of) == (0, None)


async def test_a_track_may_be_assumed_but_not_that_of_the_other_sex(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person("1975-02-10", register.SEX_FEMALE)

    assert (await retirement(benefits, person_id, Track.FEMALE_50)).retirement.statutory == month("2025-03")
    with refused(Refused, "TRACK_UNKNOWN"):
        await retirement(benefits, person_id)
    with refused(InvalidInput, "TRACK_INVALID"):
        await retirement(benefits, person_id, Track.MALE_60)
    with refused(NotFound, "PERSON_NOT_FOUND"):
        await retirement(benefits, ids.new_id())


async def test_an_estimate_of_a_settled_person_is_what_the_determination_says(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire()

    made = await estimate(benefits, person_id)
    decided = await benefits.prepare_pension(person_id)

    assert made.assumed_months == 0
    assert made.calculation.statement == decided.calculation.statement


async def test_months_to_come_are_assumed_at_the_last_base(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    await enrollment.hired(person_id, "1998-08")
    await enrollment.paid(person_id, "1998-08", "2025-09", "6000")
    await enrollment.credited(person_id, 2024, "100000.00", "100000.00")

    made = await estimate(benefits, person_id, today=date(2025, 11, 23))

    assert made.assumed_months == 10  # 2025-10 … 2026-07, also the two months that are billed and not yet settled
    assert ("months", "336") in made.calculation.statement.line("basic").inputs
    assert made.retirement.as_of == month("2025-09")
    assert made.calculation.statement.provisional
    assert await owner_fetch(database, "SELECT 1 FROM calculation") == []


async def test_who_no_longer_works_is_assumed_to_go_on_from_now(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    parts = await enrollment.hired(person_id, "1998-08")
    await enrollment.paid(person_id, "1998-08", "2024-12")
    await enrollment.left(person_id, parts, "2024-12")

    made = await estimate(benefits, person_id, today=date(2026, 1, 5))

    assert made.assumed_months == 7  # 2026-01 … 2026-07: the lapsed year 2025 stays lapsed


async def test_a_higher_base_gives_a_higher_pension(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    await enrollment.hired(person_id, "1998-08")
    await enrollment.paid(person_id, "1998-08", "2025-06")
    await enrollment.credited(person_id, 2024, "100000.00", "100000.00")

    same = await estimate(benefits, person_id)
    more = await estimate(benefits, person_id, base="20000")

    assert more.calculation.statement.amount("basic") > same.calculation.statement.amount("basic")
    assert more.calculation.statement.amount("account") > same.calculation.statement.amount("account")


async def test_the_account_is_carried_forward_with_its_interest(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire(account=False)
    contribution = heard.AccountCredited.CREDIT_KIND_CONTRIBUTION
    await enrollment.credited(person_id, 2024, "100000.00", "100000.00")
    for number in range(1, 13):  # booked in its own month, 480 each
        await enrollment.credited(person_id, 2025, "480.00", "100000.00", contribution, booked=f"2025-{number:02}")
    await enrollment.credited(person_id, 2026, "480.00", "0.00", contribution, booked="2026-01")
    interest = heard.AccountCredited.CREDIT_KIND_INTEREST
    await enrollment.credited(person_id, 2025, "1546.80", "0.00", interest)

    line = (await estimate(benefits, person_id)).calculation.statement.line("account")

    # 2025 is closed: 100000 + 12 × 480 + 1546.80 = 107306.80. In 2026 the rate of 2025 stands in for seven months:
    # 107306.80 × 0.015 × 7 ÷ 12 = 938.93; January earns 480 × 7 × 0.015 ÷ 12 = 4.20; nothing else was paid in 2026.
    assert ("balance", "108729.93") in line.inputs
    assert line.provisional
    assert {use.key for use in line.parameters} >= {"interest_rate"}


@pytest.mark.parametrize(("chosen", "reason"), [("2026-02", "TOO_EARLY"), ("2029-08", "TOO_LATE")])
async def test_an_estimate_outside_the_window_is_refused(
    enrollment: Enrollment, benefits: Benefits, chosen: str, reason: str
) -> None:
    person_id = await enrollment.about_to_retire()

    with refused(Refused, reason):
        await estimate(benefits, person_id, chosen)


async def test_an_estimate_needs_contributions_and_enough_of_them(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    with refused(Refused, "NO_CONTRIBUTIONS"):
        await estimate(benefits, person_id)
    with refused(Refused, "NO_CONTRIBUTIONS"):
        await estimate(benefits, person_id, base="6000")

    await enrollment.paid(person_id, "2020-01", "2020-12")
    with refused(Refused, "CONTRIBUTION_SHORT"):
        await estimate(benefits, person_id)


async def test_an_estimate_far_ahead_uses_the_latest_published_values(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person("1990-05-05")
    await enrollment.hired(person_id, "2015-01")
    await enrollment.paid(person_id, "2015-01", "2026-06")

    made = await estimate(benefits, person_id)

    assert made.retirement.retirement.statutory == month("2053-05")
    assert made.assumed_months == month("2026-06").months_until(month("2053-05"))
    assert made.calculation.statement.total > Money.ZERO


async def test_another_persons_benefit_is_not_found(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()
    approved = await benefits.approve(await benefits.prepare_pension(person_id))
    assert approved.benefit is not None
    benefit_id = approved.benefit.benefit_id
    own, stranger = a_principal(person_id=person_id), a_principal(person_id=ids.new_id())

    assert (await benefits.run(lambda tx: queries.benefit(tx, benefit_id), own)).person_id == person_id
    for who, asked in ((stranger, benefit_id), (own, ids.new_id())):
        for look in (queries.benefit, queries.benefit_calculation):
            with refused(NotFound, "BENEFIT_NOT_FOUND"):
                await benefits.run(partial(look, benefit_id=asked), who)


async def test_benefits_are_listed_newest_first(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.unemployed()
    await benefits.approve(await benefits.prepare_unemployment(person_id))

    (row,) = await benefits.run(lambda tx: queries.benefits(tx, person_id))

    assert row.person_id == person_id
    with refused(NotFound, "PERSON_NOT_FOUND"):
        await benefits.run(lambda tx: queries.benefits(tx, ids.new_id()))
