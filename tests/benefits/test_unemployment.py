"""Unemployment benefits: who gets one, for how long, and what ends it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from chassis.policy import open_policy
from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel.errors import Conflict, InvalidInput, Refused
from kernel.money import Money
from services.benefits.lifecycle import BenefitState, EndReason, Kind
from services.benefits.policy import BenefitsPolicy
from tests.benefits.builders import (
    Benefits,
    Enrollment,
    month,
    refused,
)
from tests.benefits.conftest import POLICY_DIR
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database


async def test_an_unemployment_benefit_is_determined(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()  # 138 months, average base 9000

    shown = await benefits.prepare_unemployment(person_id, "2025-07-03")
    approved = await benefits.approve(shown)

    row, statement = shown.determination, shown.calculation.statement
    assert (row.first_month, row.last_month) == (month("2025-08"), month("2027-07"))  # 24 months
    assert statement.amount("rate") == Money.yuan("4500")
    assert statement.total == Money.yuan("2490")  # the minimum wage of class 1 in 2025
    assert approved.benefit is not None
    assert approved.benefit.kind is Kind.UNEMPLOYMENT
    assert approved.benefit.division == "320613"
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_the_average_is_that_of_the_last_twelve_months(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.unemployed(base="3000")
    await enrollment.paid(person_id, "2024-07", "2025-06", "4000")

    statement = (await benefits.prepare_unemployment(person_id)).calculation.statement

    assert statement.total == Money.yuan("2000")  # 138 months: 50 % of 4000


async def test_an_employment_that_has_not_ended_is_a_retryable_conflict(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person("1985-05-05")
    with refused(Conflict, "EMPLOYMENT_NOT_ENDED"):
        await benefits.prepare_unemployment(person_id)

    parts = await enrollment.hired(person_id, "2020-01")
    await enrollment.paid(person_id, "2020-01", "2025-06")
    with refused(Conflict, "EMPLOYMENT_NOT_ENDED") as caught:
        await benefits.prepare_unemployment(person_id)
    assert caught.value.retry_after

    await enrollment.left(person_id, parts, "2025-06")
    await benefits.prepare_unemployment(person_id)


async def test_the_end_of_an_employment_waits_for_the_contributions_that_went_before(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person("1985-05-05")
    parts = await enrollment.hired(person_id, "2020-01")
    await enrollment.paid(person_id, "2020-01", "2025-05")
    await enrollment.left(person_id, parts, "2025-06", after=66)
    with refused(Conflict, "EMPLOYMENT_NOT_ENDED"):
        await benefits.prepare_unemployment(person_id)

    await enrollment.paid(person_id, "2025-06", "2025-06")

    shown = await benefits.prepare_unemployment(person_id)
    assert "since the last spell: 66" in shown.determination.notes[1]


@pytest.mark.parametrize("reason", [register.END_REASON_RESIGNED, register.END_REASON_RETIRED])
async def test_who_left_by_their_own_wish_gets_nothing(
    enrollment: Enrollment, benefits: Benefits, reason: register.EndReason.ValueType
) -> None:
    person_id = await enrollment.unemployed(reason=reason)

    with refused(Refused, "VOLUNTARY_END"):
        await benefits.prepare_unemployment(person_id)


async def test_fewer_than_twelve_paid_months_are_refused(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.unemployed(first="2024-07", last="2025-06")
    await enrollment.paid(person_id, "2025-06", "2025-06", state=register.CONTRIBUTION_STATE_UNPAID)

    with refused(Refused, "LESS_THAN_12_MONTHS") as caught:
        await benefits.prepare_unemployment(person_id)
    assert caught.value.metadata["months"] == "11"


@pytest.mark.parametrize("registered", ["2025-05-31", "2026-07-21"])
async def test_a_registration_before_the_end_of_work_or_in_the_future_is_refused(
    enrollment: Enrollment, benefits: Benefits, registered: str
) -> None:
    person_id = await enrollment.unemployed()

    with refused(Refused, "REGISTRATION_DATE_INVALID"):
        await benefits.prepare_unemployment(person_id, registered)


@pytest.mark.parametrize("registered", ["2025-06-01", "2026-07-20"])
async def test_a_registration_from_the_last_month_of_work_until_today_is_taken(
    enrollment: Enrollment, benefits: Benefits, registered: str
) -> None:
    await benefits.prepare_unemployment(await enrollment.unemployed(), registered)


async def test_a_division_without_a_wage_class_is_named(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.unemployed(division="110101")

    with refused(Refused, "POLICY_PARAMETER_MISSING") as caught:
        await benefits.prepare_unemployment(person_id)
    assert caught.value.metadata["key"] == "minimum_wage_class[110101]"


async def test_without_the_bureaus_steps_the_duration_is_refused(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    bare = Benefits(database, BenefitsPolicy(open_policy(POLICY_DIR)))

    with refused(Refused, "POLICY_PARAMETER_MISSING") as caught:
        await bare.prepare_unemployment(person_id)
    assert caught.value.metadata["key"] == "duration.jiangsu_steps"


async def test_while_a_benefit_runs_there_is_no_second_one(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.unemployed()
    first, second = await benefits.prepare_unemployment(person_id), await benefits.prepare_unemployment(person_id)
    await benefits.approve(first)

    with refused(Refused, "BENEFIT_ALREADY_RUNNING"):
        await benefits.approve(second)
    with refused(Refused, "BENEFIT_ALREADY_RUNNING"):
        await benefits.prepare_unemployment(person_id)


async def test_one_lost_employment_gives_one_benefit(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.unemployed()
    first, second = await benefits.prepare_unemployment(person_id), await benefits.prepare_unemployment(person_id)
    await benefits.approve(first)
    parts = await enrollment.hired(person_id, "2025-10")
    await enrollment.left(person_id, parts, "2025-11")

    with refused(Refused, "BENEFIT_ALREADY_RUNNING"):
        await benefits.approve(second)


async def test_months_restart_after_a_spell_and_unused_ones_are_carried(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    await benefits.approve(await benefits.prepare_unemployment(person_id))  # 2025-08 … 2027-07
    parts = await enrollment.hired(person_id, "2025-11")  # three months drawn, 21 left
    await enrollment.paid(person_id, "2025-11", "2026-06", "9000")
    await enrollment.left(person_id, parts, "2026-06")

    with refused(Refused, "LESS_THAN_12_MONTHS"):  # eight months since the spell began
        await benefits.prepare_unemployment(person_id, "2026-07-01")

    await enrollment.paid(person_id, "2025-07", "2025-10", "9000")  # paid later, after all
    with refused(InvalidInput, "CARRIED_MONTHS_INVALID"):
        await benefits.prepare_unemployment(person_id, "2026-07-01", carried_months=22)
    with refused(InvalidInput, "CARRIED_MONTHS_INVALID"):
        await benefits.prepare_unemployment(person_id, "2026-07-01", carried_months=-1)
    shown = await benefits.prepare_unemployment(person_id, "2026-07-01", carried_months=5)
    await benefits.approve(shown)

    assert shown.determination.first_month == month("2026-08")
    assert shown.determination.last_month == month("2027-12")  # 12 + 5 months
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_work_that_begins_between_preparing_and_approving_ends_the_benefit_at_once(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    shown = await benefits.prepare_unemployment(person_id)
    await enrollment.hired(person_id, "2025-10")

    approved = await benefits.approve(shown)

    assert approved.benefit is not None
    assert approved.benefit.state is BenefitState.ENDED
    assert approved.benefit.end_reason is EndReason.REEMPLOYED
    assert approved.benefit.last_month == month("2025-09")
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_a_started_pension_ends_the_unemployment_benefit(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    parts = await enrollment.hired(person_id, "1998-08")
    await enrollment.paid(person_id, "1998-08", "2025-12")
    await enrollment.left(person_id, parts, "2025-12")
    lost = await benefits.approve(await benefits.prepare_unemployment(person_id, "2026-01-05"))
    await enrollment.settled(person_id)

    pension = await benefits.approve(await benefits.prepare_pension(person_id))

    assert lost.benefit is not None
    assert pension.benefit is not None
    benefit_id = lost.benefit.benefit_id
    (row,) = await owner_fetch(database, "SELECT * FROM benefit WHERE benefit_id = $1", benefit_id)
    assert (row["state"], row["end_reason"]) == ("ENDED", "RETIRED")
    assert row["last_month"] == date(2026, 7, 1)
    assert pension.benefit.first_month == month("2026-08")
    with refused(Refused, "BENEFIT_ALREADY_RUNNING"):
        await benefits.prepare_unemployment(person_id, "2026-01-05")
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_what_starts_is_said_and_audited(database: Database, enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()
    await benefits.approve(await benefits.prepare_pension(person_id))

    said = await owner_fetch(database, "SELECT subject FROM outbox ORDER BY seq")
    noted = await owner_fetch(database, "SELECT action, person_id FROM audit ORDER BY seq")
    assert [row["subject"] for row in said] == ["hrss.benefits.v1.BenefitStarted"]
    assert [row["action"] for row in noted] == ["determination_prepared", "determination_approved"]
    assert {row["person_id"] for row in noted} == {person_id}
