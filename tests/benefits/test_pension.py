"""Pensions: what a determination asks for, what it is worth, and that there is one in a life."""

from __future__ import annotations

import asyncio
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel import ids
from kernel.errors import Conflict, DomainError, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.benefits.domain.retirement import Track
from services.benefits.lifecycle import BenefitState, DeterminationState
from tests.benefits.builders import (
    OTHER_CLERK,
    SUPERVISOR,
    Benefits,
    Enrollment,
    month,
    refused,
)
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy


async def test_a_pension_is_prepared_approved_and_starts(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire()

    prepared = await benefits.prepare_pension(person_id)
    approved = await benefits.approve(prepared)

    assert prepared.determination.state is DeterminationState.PREPARED
    assert prepared.benefit is None
    assert approved.determination.state is DeterminationState.APPROVED
    assert approved.benefit is not None
    assert approved.benefit.state is BenefitState.ACTIVE
    assert approved.benefit.first_month == month("2026-08")
    assert approved.benefit.last_month is None
    assert approved.benefit.monthly == prepared.calculation.statement.total
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_the_amount_of_a_pension_is_that_of_the_law(
    policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire(balance="150000.00")

    statement = (await benefits.prepare_pension(person_id)).calculation.statement

    # 336 months from 1998-08 to 2026-07, base 6000 each; the base of 2026 is still that of 2025, 8917.
    index_base = policy.pension.index_base
    per_year = {1998: 5, 2026: 7} | dict.fromkeys(range(1999, 2026), 12)
    exact = sum(
        Fraction(6000_00 * 12 * months, index_base.provisionally_on(date(year, 1, 1)).value.fen)
        for year, months in per_year.items()
    ) / Fraction(336)
    index4 = round(exact, 4)
    basic = Money.rounded(Fraction(8917) * (1 + index4) / 2 * 28 / 100)
    assert statement.amount("basic") == basic
    assert statement.amount("account") == Money.rounded(Fraction(150000) / Fraction("136.7"))  # 139 − 7 × 4 ÷ 12
    assert statement.amount("transitional") == Money.ZERO
    assert statement.total == (basic + statement.amount("account")).raise_to_jiao()
    assert statement.provisional


async def test_months_before_the_accounts_and_deemed_months_earn_the_transitional_item(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    await enrollment.paid(person_id, "1990-01", "1995-12", "0", state=register.CONTRIBUTION_STATE_DEEMED)
    await enrollment.paid(person_id, "1996-01", "2026-07")
    await enrollment.settled(person_id)

    shown = await benefits.prepare_pension(person_id, old_transitional=Money.yuan("100"))

    line = shown.calculation.statement.line("transitional")
    assert ("pre1996_months", "72") in line.inputs
    assert ("old", "100.00") in line.inputs
    assert "deemed 72" in shown.determination.notes[0]
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_unpaid_months_do_not_count(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()
    await enrollment.paid(person_id, "2026-06", "2026-07", state=register.CONTRIBUTION_STATE_UNPAID)

    shown = await benefits.prepare_pension(person_id)

    assert ("months", "334") in shown.calculation.statement.line("basic").inputs


async def test_an_account_that_is_not_settled_is_a_retryable_conflict(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire(account=False)

    with refused(Conflict, "ACCOUNT_NOT_SETTLED") as caught:
        await benefits.prepare_pension(person_id)
    assert caught.value.retry_after

    await enrollment.settled(person_id)
    await benefits.prepare_pension(person_id)


async def test_a_settlement_waits_for_the_contributions_that_went_before(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    await enrollment.paid(person_id, "1998-08", "2026-06")
    await enrollment.settled(person_id, after=336)

    with refused(Conflict, "ACCOUNT_NOT_SETTLED"):
        await benefits.prepare_pension(person_id)

    await enrollment.paid(person_id, "2026-07", "2026-07")
    shown = await benefits.prepare_pension(person_id)
    assert ("months", "336") in shown.calculation.statement.line("basic").inputs


async def test_a_settlement_for_another_month_is_refused(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire(account=False)
    await enrollment.settled(person_id, "2026-06")

    with refused(Refused, "SETTLEMENT_MONTH_DIFFERS"):
        await benefits.prepare_pension(person_id)


async def test_the_month_of_retirement_must_have_begun(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()

    with refused(Refused, "RETIREMENT_NOT_REACHED"):
        await benefits.prepare_pension(person_id, today=date(2026, 6, 30))

    await benefits.prepare_pension(person_id, today=date(2026, 7, 1))


@pytest.mark.parametrize(("chosen", "reason"), [("2026-02", "TOO_EARLY"), ("2029-08", "TOO_LATE")])
async def test_a_month_outside_the_window_is_refused(
    enrollment: Enrollment, benefits: Benefits, chosen: str, reason: str
) -> None:
    person_id = await enrollment.about_to_retire()

    with refused(Refused, reason):
        await benefits.prepare_pension(person_id, retirement_month=month(chosen), today=date(2030, 1, 1))


async def test_early_retirement_inside_the_window(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire(account=False)
    await enrollment.settled(person_id, "2026-04")

    shown = await benefits.prepare_pension(person_id, retirement_month=month("2026-04"))

    assert shown.determination.first_month == month("2026-05")
    assert ("months", "333") in shown.calculation.statement.line("basic").inputs


async def test_who_has_no_window_retires_in_the_statutory_month_only(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person("1964-06-01")
    await enrollment.paid(person_id, "1998-08", "2024-06")
    await enrollment.settled(person_id, "2024-06")

    with refused(Refused, "NOT_APPLICABLE"):
        await benefits.prepare_pension(person_id, retirement_month=month("2024-07"))

    assert (await benefits.prepare_pension(person_id)).determination.first_month == month("2024-07")


@pytest.mark.parametrize(("birth", "retired"), [("1966-03-12", "2026-07"), ("1964-06-01", "2024-06")])
async def test_too_few_contribution_months_are_refused(
    enrollment: Enrollment, benefits: Benefits, birth: str, retired: str
) -> None:
    person_id = await enrollment.person(birth)
    await enrollment.paid(person_id, "2012-01", "2022-12")
    await enrollment.settled(person_id, retired)

    with refused(Refused, "CONTRIBUTION_SHORT") as caught:
        await benefits.prepare_pension(person_id)
    assert caught.value.metadata["required_months"] == "180"


async def test_without_contributions_there_is_no_pension(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    await enrollment.settled(person_id)

    with refused(Refused, "NO_CONTRIBUTIONS"):
        await benefits.prepare_pension(person_id)


async def test_an_unknown_person_is_not_found(benefits: Benefits) -> None:
    with refused(NotFound, "PERSON_NOT_FOUND"):
        await benefits.prepare_pension(ids.new_id())
    with refused(NotFound, "PERSON_NOT_FOUND"):
        await benefits.prepare_unemployment(ids.new_id())


async def test_the_track_of_a_woman_comes_from_her_latest_employment(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person("1975-02-10", register.SEX_FEMALE)

    with refused(Refused, "TRACK_UNKNOWN"):
        await benefits.prepare_pension(person_id)
    with refused(InvalidInput, "TRACK_INVALID"):
        await benefits.prepare_pension(person_id, track=Track.MALE_60)

    await enrollment.hired(person_id, "1998-01", track=register.TRACK_FEMALE_55)
    await enrollment.hired(person_id, "2010-01", track=register.TRACK_FEMALE_50)
    await enrollment.paid(person_id, "1998-01", "2025-03")
    await enrollment.settled(person_id, "2025-03")
    shown = await benefits.prepare_pension(person_id)
    assert shown.determination.event_month == month("2025-03")  # 50 years and one month, not 55


async def test_a_parameter_that_is_not_known_is_named(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person("1963-03-01")
    await enrollment.paid(person_id, "1990-01", "1995-12", "0", state=register.CONTRIBUTION_STATE_DEEMED)
    await enrollment.paid(person_id, "1998-08", "2023-03")
    await enrollment.settled(person_id, "2023-03")

    with refused(Refused, "POLICY_PARAMETER_MISSING") as caught:
        await benefits.prepare_pension(person_id, old_transitional=Money.yuan("1"))

    assert caught.value.metadata == {"file": "pension-employee.yaml", "key": "transition_blend", "on": "2023-03-01"}
    assert await owner_fetch(database, "SELECT 1 FROM determination") == []


async def test_a_second_pension_for_one_person_is_refused(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()
    first, second = await benefits.prepare_pension(person_id), await benefits.prepare_pension(person_id)
    await benefits.approve(first)

    with refused(Refused, "PENSION_ALREADY_DETERMINED"):
        await benefits.approve(second)
    with refused(Refused, "PENSION_ALREADY_DETERMINED"):
        await benefits.prepare_pension(person_id)


async def test_four_approvals_at_once_start_one_benefit(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire()
    shown = [await benefits.prepare_pension(person_id) for _ in range(2)]

    outcomes = await asyncio.gather(
        *(benefits.approve(one, who) for one in shown for who in (SUPERVISOR, OTHER_CLERK)), return_exceptions=True
    )

    refusals = {one.reason for one in outcomes if isinstance(one, DomainError)}
    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert refusals <= {"PENSION_ALREADY_DETERMINED", "DETERMINATION_CLOSED", "CONCURRENT_CHANGE"}
    assert [row["count"] for row in await owner_fetch(database, "SELECT count(*) FROM benefit")] == [1]
    assert await violations(database.settings.database_owner_url, policy) == []
