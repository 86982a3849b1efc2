"""What enrollment announces becomes rows of our own, once and in order, and ends benefits where the law says so."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import inbox
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register_pb
from hrss.type.v1 import calendar_pb2, money_pb2
from kernel import ids
from kernel.money import Money
from services.benefits.history import Scheme, Standing
from services.benefits.store import register
from tests.benefits.builders import Benefits, Enrollment, month
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.history import History
    from services.benefits.policy import BenefitsPolicy


async def pension_history(benefits: Benefits, person_id: UUID) -> History:
    history: History = await benefits.run(lambda tx: register.history(tx, person_id, Scheme.EMPLOYEE_PENSION))
    return history


async def test_a_person_and_an_employment_are_known(database: Database, enrollment: Enrollment) -> None:
    person_id = await enrollment.person("1975-02-10", register_pb.SEX_FEMALE)
    parts = await enrollment.hired(person_id, "2010-01", track=register_pb.TRACK_FEMALE_50)
    await enrollment.left(person_id, parts, "2025-06", register_pb.END_REASON_RESIGNED)

    (person,) = await owner_fetch(database, "SELECT * FROM person")
    rows = await owner_fetch(database, "SELECT * FROM participation ORDER BY scheme")
    assert (person["birth_date"], person["sex"], person["division"]) == (date(1975, 2, 10), "FEMALE", "990000")
    assert [row["scheme"] for row in rows] == ["EMPLOYEE_PENSION", "UNEMPLOYMENT", "WORK_INJURY"]
    assert {(row["start_month"], row["end_month"]) for row in rows} == {(date(2010, 1, 1), date(2025, 6, 1))}
    assert {(row["track"], row["end_reason"], row["division"]) for row in rows} == {("female_50", "RESIGNED", "320613")}


async def test_a_later_fact_of_a_month_replaces_the_earlier_one(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    await enrollment.paid(person_id, "2024-11", "2025-02", "5000")
    await enrollment.paid(person_id, "2025-01", "2025-01", "7000", state=register_pb.CONTRIBUTION_STATE_UNPAID)

    months = (await pension_history(benefits, person_id)).months

    assert [str(one.month) for one in months] == ["2024-11", "2024-12", "2025-01", "2025-02"]
    assert [one.base for one in months] == [Money.yuan(base) for base in ("5000", "5000", "7000", "5000")]
    assert [one.standing for one in months] == [Standing.PAID, Standing.PAID, Standing.UNPAID, Standing.PAID]


async def test_two_facts_of_one_month_in_one_message_leave_the_later(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    first = enrollment.settled_months(person_id, "2025-01", "2025-01", "5000")
    second = enrollment.settled_months(person_id, "2025-01", "2025-01", "6000")

    await enrollment.say(heard.ContributionsSettled, *first, *second)

    (one,) = (await pension_history(benefits, person_id)).months
    assert one.base == Money.yuan("6000")


async def test_a_message_that_comes_again_changes_nothing(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    (fact,) = enrollment.settled_months(person_id, "2025-01", "2025-01", "5000")
    fact.header.version = 1
    event_id = ids.new_id()
    await enrollment.deliver(heard.ContributionsSettled(facts=[fact]), event_id)
    enrollment.versions["contributions", fact.header.aggregate_id] = 1
    await enrollment.paid(person_id, "2025-01", "2025-01", "6000")

    await enrollment.deliver(heard.ContributionsSettled(facts=[fact]), event_id)

    (one,) = (await pension_history(benefits, person_id)).months
    assert one.base == Money.yuan("6000")
    assert await inbox.status(database) == inbox.Status(waiting=0, parked=0)


async def test_facts_out_of_order_take_effect_in_order(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    early = enrollment.settled_months(person_id, "2025-01", "2025-01", "5000")[0]
    late = enrollment.settled_months(person_id, "2025-01", "2025-01", "6000")[0]
    early.header.version, late.header.version = 1, 2

    await enrollment.deliver(heard.ContributionsSettled(facts=[late]))
    assert (await pension_history(benefits, person_id)).months == ()
    await enrollment.deliver(heard.ContributionsSettled(facts=[early]))

    (one,) = (await pension_history(benefits, person_id)).months
    assert one.base == Money.yuan("6000")
    assert (await inbox.status(database)).waiting == 0


async def test_aggregates_may_come_in_any_order(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = ids.new_id()
    await enrollment.settled(person_id)
    await enrollment.paid(person_id, "1998-08", "2026-07")
    await enrollment.hired(person_id, "1998-08")
    registered = heard.PersonRegistered.Fact(
        header=enrollment.header(ids.to_text("per", person_id)), sex=register_pb.SEX_MALE, division="990000"
    )
    registered.birth_date.year, registered.birth_date.month, registered.birth_date.day = 1966, 3, 1

    await enrollment.say(heard.PersonRegistered, registered)

    shown = await benefits.prepare_pension(person_id)
    assert ("months", "336") in shown.calculation.statement.line("basic").inputs


async def test_a_chunk_of_five_hundred_facts_is_one_message(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    people = [await enrollment.person() for _ in range(50)]
    facts = [one for person_id in people for one in enrollment.settled_months(person_id, "2024-12", "2025-09")]
    assert len(facts) == 500

    await enrollment.say(heard.ContributionsSettled, *facts)

    (row,) = await owner_fetch(
        database, "SELECT count(*) AS years, count(DISTINCT person_id) AS people FROM contribution_year"
    )
    assert (row["years"], row["people"]) == (50 * 3 * 2, 50)  # three schemes, two years
    assert len(await pension_history(benefits, people[-1])) == 10


async def test_a_fact_nobody_understands_is_parked_and_the_others_count(
    database: Database, enrollment: Enrollment
) -> None:
    good, bad = ids.new_id(), ids.new_id()
    facts = [
        heard.PersonRegistered.Fact(
            header=enrollment.header(ids.to_text("per", person_id)),
            sex=sex,
            division="990000",
            birth_date=calendar_pb2.Date(year=1980, month=1, day=1),
        )
        for person_id, sex in ((bad, register_pb.SEX_UNSPECIFIED), (good, register_pb.SEX_MALE))
    ]

    await enrollment.say(heard.PersonRegistered, *facts)

    assert [row["person_id"] for row in await owner_fetch(database, "SELECT person_id FROM person")] == [good]
    assert (await inbox.status(database)).parked == 1


async def test_credits_and_settlements_move_the_account(database: Database, enrollment: Enrollment) -> None:
    person_id = await enrollment.person()
    contribution = heard.AccountCredited.CREDIT_KIND_CONTRIBUTION
    await enrollment.credited(person_id, 2025, "1000.00", "1000.00")
    await enrollment.credited(person_id, 2026, "480.00", "1480.00", contribution, booked="2026-02")
    await enrollment.settled(person_id, balance="1490.00", after=7)

    (account,) = await owner_fetch(database, "SELECT * FROM account")
    credits_ = await owner_fetch(database, "SELECT * FROM account_credit ORDER BY version")
    assert (account["balance_fen"], account["settled_balance_fen"], account["settled_after"]) == (149000, 149000, 7)
    assert [row["kind"] for row in credits_] == ["IMPORTED_BALANCE", "CONTRIBUTION"]
    assert credits_[1]["booking_month"] == date(2026, 2, 1)


# Benefits that end --------------------------------------------------------------------------------------------------


async def ended(database: Database, benefit_id: UUID) -> tuple[str, date | None, str | None]:
    (row,) = await owner_fetch(database, "SELECT * FROM benefit WHERE benefit_id = $1", benefit_id)
    return row["state"], row["last_month"], row["end_reason"]


async def test_work_ends_the_unemployment_benefit_with_the_month_before(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    approved = await benefits.approve(await benefits.prepare_unemployment(person_id))
    assert approved.benefit is not None

    await enrollment.hired(person_id, "2025-11")

    assert await ended(database, approved.benefit.benefit_id) == ("ENDED", date(2025, 10, 1), "REEMPLOYED")
    said = [row["subject"] for row in await owner_fetch(database, "SELECT subject FROM outbox ORDER BY seq")]
    assert said == ["hrss.benefits.v1.BenefitStarted", "hrss.benefits.v1.BenefitEnded"]
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_work_before_the_first_month_leaves_nothing_to_pay(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    approved = await benefits.approve(await benefits.prepare_unemployment(person_id))
    assert approved.benefit is not None

    await enrollment.hired(person_id, "2025-07")
    await benefits.payroll("2025-10")

    assert await ended(database, approved.benefit.benefit_id) == ("ENDED", date(2025, 7, 1), "REEMPLOYED")
    assert await owner_fetch(database, "SELECT 1 FROM payment") == []
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_what_is_no_new_employment_ends_nothing(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    approved = await benefits.approve(await benefits.prepare_unemployment(person_id))
    assert approved.benefit is not None

    await enrollment.hired(person_id, "2025-06")  # an old start that is announced late
    await enrollment.hired(person_id, "2025-11", schemes=[register_pb.SCHEME_EMPLOYEE_PENSION])  # a flexible worker
    await enrollment.hired(person_id, "2027-08")  # after the last month of the benefit

    assert (await ended(database, approved.benefit.benefit_id))[0] == "ACTIVE"


@pytest.mark.parametrize(
    ("reason", "end", "then"),
    [
        (register_pb.END_REASON_RETIRED, "2026-07", ("ACTIVE", None, None)),
        # The employer announces a death before enrollment hears of the pension and ends the participation itself.
        (register_pb.END_REASON_DIED, "2026-09", ("ENDED", date(2026, 9, 1), "DIED")),
    ],
)
async def test_a_retirement_ends_nothing_and_a_death_ends_the_pension(
    database: Database,
    policy: BenefitsPolicy,
    enrollment: Enrollment,
    benefits: Benefits,
    *,
    reason: register_pb.EndReason.ValueType,
    end: str,
    then: tuple[str, date | None, str | None],
) -> None:
    person_id = await enrollment.person()
    parts = await enrollment.hired(person_id, "1998-08")
    await enrollment.paid(person_id, "1998-08", "2026-07")
    await enrollment.settled(person_id)
    approved = await benefits.approve(await benefits.prepare_pension(person_id))
    assert approved.benefit is not None

    await enrollment.left(person_id, parts, end, reason)

    assert await ended(database, approved.benefit.benefit_id) == then
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_the_end_takes_payments_out_of_a_payroll_that_was_not_released(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    await benefits.approve(await benefits.prepare_unemployment(person_id))
    before = await benefits.payroll("2025-12")
    looked_at = before.digest

    await enrollment.hired(person_id, "2025-11")

    after = await benefits.start_payroll("2025-12")
    assert (before.payment_count, after.payment_count) == (5, 3)
    assert after.total == 3 * Money.yuan("2490")
    assert after.digest != looked_at
    await benefits.approve_payroll(after)
    assert await owner_fetch(database, "SELECT 1 FROM overpayment") == []
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_what_was_released_after_the_end_is_written_down_as_overpaid(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    await benefits.approve(await benefits.prepare_unemployment(person_id))
    await benefits.approve_payroll(await benefits.payroll("2025-12"))

    await enrollment.hired(person_id, "2025-11")

    rows = await owner_fetch(database, "SELECT month, amount_fen, reason FROM overpayment ORDER BY month")
    assert [tuple(row) for row in rows] == [
        (date(2025, 11, 1), 249000, "REEMPLOYED"),
        (date(2025, 12, 1), 249000, "REEMPLOYED"),
    ]
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_ends_that_are_heard_together_ask_once_for_the_approval_of_their_payroll(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    persons = [await enrollment.unemployed(), await enrollment.unemployed()]
    for person_id in persons:
        await benefits.approve(await benefits.prepare_unemployment(person_id))
    await benefits.payroll("2025-12")

    facts = [
        fact
        for person_id in persons
        for fact in enrollment.starts(person_id, {register_pb.SCHEME_UNEMPLOYMENT: ids.new_id()}, "2025-11")
    ]
    await enrollment.say(heard.ParticipationStarted, *facts)

    after = await benefits.start_payroll("2025-12")
    assert after.payment_count == 6
    assert len(await owner_fetch(database, "SELECT 1 FROM approval WHERE kind = 'payroll'")) == 2
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_a_shorter_first_month_is_not_confused_with_history(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    await enrollment.paid(person_id, "1999-12", "2000-01")

    history = await pension_history(benefits, person_id)

    assert history.last_month == month("2000-01")
    assert len(history) == 2


async def test_what_is_said_of_schemes_without_benefits_leaves_nothing_and_stops_nothing(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    others = [
        register_pb.SCHEME_WORK_INJURY_PROJECT,
        register_pb.SCHEME_OCCUPATIONAL_INJURY_PLATFORM,
    ]
    parts = await enrollment.hired(person_id, "2020-01", schemes=[*others, register_pb.SCHEME_UNEMPLOYMENT])
    items = [
        heard.ContributionsSettled.Item(
            scheme=scheme, base=money_pb2.Money(fen=500_000), state=register_pb.CONTRIBUTION_STATE_PAID
        )
        for scheme in (*others, register_pb.SCHEME_EMPLOYEE_PENSION)
    ]
    await enrollment.say(
        heard.ContributionsSettled,
        heard.ContributionsSettled.Fact(
            header=enrollment.header(ids.to_text("per", person_id)),
            month=calendar_pb2.Month(year=2025, month=1),
            items=items,
            source="bill:bil_1",
        ),
    )
    await enrollment.left(person_id, parts, "2025-06", register_pb.END_REASON_RESIGNED)

    assert await owner_fetch(database, "SELECT 1 FROM parked") == []
    rows = await owner_fetch(database, "SELECT scheme, end_month FROM participation")
    assert [(row["scheme"], row["end_month"]) for row in rows] == [("UNEMPLOYMENT", date(2025, 6, 1))]
    assert [str(one.month) for one in (await pension_history(benefits, person_id)).months] == ["2025-01"]


@pytest.mark.parametrize("reason", [register_pb.END_REASON_STOPPED, register_pb.END_REASON_EMPLOYED])
async def test_a_flexible_worker_has_no_employer(
    database: Database, enrollment: Enrollment, reason: register_pb.EndReason.ValueType
) -> None:
    person_id = await enrollment.person()
    parts = {register_pb.SCHEME_EMPLOYEE_PENSION: ids.new_id()}
    (fact,) = enrollment.starts(person_id, parts, "2025-01")
    fact.employer_id = ""
    await enrollment.say(heard.ParticipationStarted, fact)
    await enrollment.left(person_id, parts, "2025-06", reason)

    (row,) = await owner_fetch(database, "SELECT employer_id, scheme, end_reason FROM participation")
    assert (row["employer_id"].int, row["scheme"], row["end_reason"]) == (0, "EMPLOYEE_PENSION", "RESIGNED")
    assert await owner_fetch(database, "SELECT 1 FROM parked") == []


def brought_in(enrollment: Enrollment, person_id: UUID, *years: heard.HistoryBroughtIn.Year) -> Any:
    """Years of a person that were brought in."""
    return heard.HistoryBroughtIn.Fact(
        header=enrollment.header(ids.to_text("per", person_id)), years=years, source="import:ab:3:old"
    )


def a_year(year: int, *runs: tuple[int, int, str]) -> heard.HistoryBroughtIn.Year:
    """Paid months of the pension and unemployment, in runs of first month, count and base."""
    return heard.HistoryBroughtIn.Year(
        year=year,
        schemes=[register_pb.SCHEME_EMPLOYEE_PENSION, register_pb.SCHEME_UNEMPLOYMENT],
        runs=[
            heard.HistoryBroughtIn.Run(
                first_month=first,
                month_count=count,
                base=money_pb2.Money(fen=Money.yuan(base).fen),
                state=register_pb.CONTRIBUTION_STATE_PAID,
            )
            for first, count, base in runs
        ],
    )


async def test_years_that_were_brought_in_are_the_same_as_their_months(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    await enrollment.paid(person_id, "2024-03", "2024-04", "7000")

    await enrollment.say(
        heard.HistoryBroughtIn,
        brought_in(enrollment, person_id, a_year(2023, (1, 6, "4000"), (7, 6, "4500")), a_year(2024, (1, 2, "5000"))),
    )

    months = (await pension_history(benefits, person_id)).months
    assert [str(one.month) for one in months] == [
        *(f"2023-{number:02d}" for number in range(1, 13)),
        *(f"2024-{number:02d}" for number in range(1, 5)),
    ]
    bases = ["4000"] * 6 + ["4500"] * 6 + ["5000"] * 2 + ["7000"] * 2
    assert [one.base for one in months] == [Money.yuan(base) for base in bases]
    assert {one.standing for one in months} == {Standing.PAID}


async def test_months_of_a_relation_that_left_count_no_longer(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    await enrollment.say(
        heard.HistoryBroughtIn,
        brought_in(enrollment, person_id, a_year(2023, (1, 12, "4000")), a_year(2024, (1, 8, "5000"))),
    )
    moved = heard.RelationTransferred.Fact(header=enrollment.header(ids.to_text("per", person_id)), other_area="310115")
    moved.through_month.year, moved.through_month.month = 2024, 6

    moved.direction = register_pb.TRANSFER_DIRECTION_IN
    await enrollment.say(heard.RelationTransferred, moved)
    assert len((await pension_history(benefits, person_id)).months) == 20
    moved.direction = register_pb.TRANSFER_DIRECTION_OUT
    await enrollment.say(heard.RelationTransferred, moved)

    months = (await pension_history(benefits, person_id)).months
    assert [str(one.month) for one in months] == ["2024-07", "2024-08"]
