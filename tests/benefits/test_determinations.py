"""Determinations: what is asked of them, who decides them, what starts."""

from __future__ import annotations

import asyncio
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from chassis.policy import open_policy
from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel import ids
from kernel.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.benefits.calculation import recompute
from services.benefits.commands import Approve, Reject
from services.benefits.domain.retirement import Track
from services.benefits.lifecycle import BenefitState, DeterminationState, EndReason, Kind
from services.benefits.operations import determinations
from services.benefits.policy import BenefitsPolicy
from tests.benefits.builders import (
    ACCOUNT,
    CLERK,
    OTHER_CLERK,
    SUPERVISOR,
    TODAY,
    Benefits,
    Enrollment,
    a_payee,
    month,
    refused,
)
from tests.benefits.conftest import POLICY_DIR
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from chassis.principal import Principal


# Employee pension ---------------------------------------------------------------------------------------------------


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
    assert await violations(database, policy) == []


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
    assert await violations(database, policy) == []


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
    assert await violations(database, policy) == []


# Deciding -----------------------------------------------------------------------------------------------------------


async def test_the_same_person_may_not_approve_or_reject(enrollment: Enrollment, benefits: Benefits) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    as_supervisor = a_principal(["SUPERVISOR"], subject=CLERK.subject)

    with refused(Forbidden, "SAME_PERSON"):
        await benefits.approve(shown, as_supervisor)
    with refused(Forbidden, "SAME_PERSON"):
        await _reject(benefits, shown.determination.determination_id, CLERK)


async def test_nobody_approves_their_own_benefit(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()
    shown = await benefits.prepare_pension(person_id)

    with refused(Forbidden, "SAME_PERSON"):
        await benefits.approve(shown, a_principal(["SUPERVISOR"], subject="idp|x", person_id=person_id))


async def test_another_digest_is_refused(enrollment: Enrollment, benefits: Benefits) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    command = Approve(shown.determination.determination_id, b"\x00" * 32)

    with refused(Refused, "STATEMENT_CHANGED"):
        await benefits.run(lambda tx: determinations.approve(tx, command), SUPERVISOR)


async def test_a_payee_that_was_exchanged_behind_the_back_opens_nothing(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    await owner_fetch(database, "UPDATE payee SET account_index = '\\x00112233445566778899aabbccddeeff'")

    with refused(Refused, "APPROVAL_PAYLOAD_DIFFERS"):
        await benefits.approve(shown)


async def test_a_decided_determination_is_closed(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    rejected = await _reject(benefits, shown.determination.determination_id)

    assert rejected.determination.state is DeterminationState.REJECTED
    assert rejected.determination.rejection_reason == "wrong payee"
    with refused(Refused, "DETERMINATION_CLOSED"):
        await benefits.approve(shown)
    with refused(Refused, "DETERMINATION_CLOSED"):
        await _reject(benefits, shown.determination.determination_id)
    assert await violations(database, policy) == []


@pytest.mark.parametrize("reason", ["", "x", "x" * 201])
async def test_a_rejection_says_why(enrollment: Enrollment, benefits: Benefits, reason: str) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())

    with refused(InvalidInput, "REJECTION_REASON_REQUIRED"):
        await _reject(benefits, shown.determination.determination_id, reason=reason)


async def test_an_approval_that_is_too_late_is_refused_and_can_be_closed(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    await owner_fetch(database, "UPDATE approval SET expires = now() - interval '1 day'")

    with refused(Refused, "APPROVAL_EXPIRED"):
        await benefits.approve(shown)

    rejected = await _reject(benefits, shown.determination.determination_id)
    assert rejected.determination.state is DeterminationState.REJECTED


async def test_an_unknown_determination_is_not_found(benefits: Benefits) -> None:
    with refused(NotFound, "DETERMINATION_NOT_FOUND"):
        await _reject(benefits, ids.new_id())
    with refused(NotFound, "DETERMINATION_NOT_FOUND"):
        await benefits.run(lambda tx: determinations.show(tx, ids.new_id()))


async def test_partners_and_the_system_prepare_nothing(enrollment: Enrollment, benefits: Benefits) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    machine = a_principal(["PARTNER"], subject="app", client="app")

    with refused(Forbidden, "NATURAL_PERSON_REQUIRED"):
        await benefits.approve(shown, machine)


async def test_the_payee_is_sealed_and_only_its_end_is_shown(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())

    (row,) = await owner_fetch(database, "SELECT * FROM payee")
    assert shown.account_tail == ACCOUNT[-4:] == row["account_tail"]
    assert ACCOUNT.encode() not in row["account_sealed"]
    assert "张三".encode() not in row["name_sealed"]
    opened = database.sealer.open_text("payee", "account", row["payee_id"], row["account_sealed"])
    assert opened == ACCOUNT


async def test_an_account_of_somebody_else_is_pointed_out(enrollment: Enrollment, benefits: Benefits) -> None:
    first, second = await enrollment.about_to_retire(), await enrollment.about_to_retire()
    await benefits.approve(await benefits.prepare_pension(first))

    shared = await benefits.prepare_pension(second)
    own = await benefits.prepare_pension(second, payee=a_payee("6222021001112223335"))

    assert any("another person" in note for note in shared.determination.notes)
    assert not any("another person" in note for note in own.determination.notes)


async def test_what_is_stored_is_recomputed_to_the_same_statement(
    policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    pension = await benefits.prepare_pension(await enrollment.about_to_retire())
    lost = await benefits.prepare_unemployment(await enrollment.unemployed())

    for shown in (pension, lost):
        row, made = shown.determination, shown.calculation
        again = recompute(row.kind, made.inputs, row.first_month, policy)
        assert again.digest == row.digest == made.digest
        assert again.statement == made.statement


# Unemployment -------------------------------------------------------------------------------------------------------


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
    assert await violations(database, policy) == []


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


@pytest.mark.parametrize(
    "reason", [register.END_REASON_RESIGNED, register.END_REASON_RETIRED, register.END_REASON_DIED]
)
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
    assert await violations(database, policy) == []


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
    assert await violations(database, policy) == []


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
    assert await violations(database, policy) == []


async def test_what_starts_is_said_and_audited(database: Database, enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()
    await benefits.approve(await benefits.prepare_pension(person_id))

    said = await owner_fetch(database, "SELECT subject FROM outbox ORDER BY seq")
    noted = await owner_fetch(database, "SELECT action, person_id FROM audit ORDER BY seq")
    assert [row["subject"] for row in said] == ["hrss.benefits.v1.BenefitStarted"]
    assert [row["action"] for row in noted] == ["determination_prepared", "determination_approved"]
    assert {row["person_id"] for row in noted} == {person_id}


async def _reject(
    benefits: Benefits, determination_id: UUID, principal: Principal = SUPERVISOR, reason: str = "wrong payee"
) -> determinations.Shown:
    command = Reject(determination_id, reason)
    shown: determinations.Shown = await benefits.run(lambda tx: determinations.reject(tx, command), principal, TODAY)
    return shown
