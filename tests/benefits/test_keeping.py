"""Running benefits: certified, held back and paid again, paid into another account, paid too much and taken back."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, Refused
from kernel.money import Money
from services.benefits.domain import certification as law
from services.benefits.domain.certification import good_from
from services.benefits.keeping import Certify, Source, SuspendReason
from services.benefits.lifecycle import Answer, BenefitState
from services.benefits.operations import keeping_certification, keeping_import, keeping_queries, keeping_recovery
from services.benefits.store import decisions, keeping_overdue
from tests.benefits.builders import CLERK, TODAY, Benefits, Enrollment, month, refused
from tests.benefits.keeping import a_file, a_pensioner, uploaded
from tests.benefits.test_persons import died, merged
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from pathlib import Path

    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy

DUE = date(2027, 8, 31)  # twelve months after the first month of payment
LATE = date(2027, 9, 1)


@given(last=st.dates(date(2015, 1, 1), date(2030, 12, 31)), days=st.integers(0, 2000))
def test_the_sweep_and_the_law_agree_on_who_is_overdue(policy: BenefitsPolicy, last: date, days: int) -> None:
    today = last + timedelta(days=days)
    terms = policy.certification.terms(today)

    assert (last < good_from(today, terms)) == (law.assess(last, today, terms).state == "suspended")


async def test_who_is_not_certified_in_time_is_held_back_and_paid_every_month_when_certified(
    benefits: Benefits, enrollment: Enrollment, policy: BenefitsPolicy
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    others = [await a_pensioner(benefits, enrollment) for _ in range(2)]
    await others[0].certify(date(2027, 1, 5))
    await kept.paid("2027-08", date(2027, 8, 20))
    reminded = await benefits.run(
        lambda tx: keeping_certification.list_due(tx, "REMINDED", policy, size=0, token=""), CLERK, date(2027, 8, 5)
    )
    assert {one.benefit_id for one in reminded.rows} == {kept.benefit_id, others[1].benefit_id}
    assert {one.due_by for one in reminded.rows} == {DUE}
    assert (await kept.sweep(DUE)).done_count == 0
    payroll = await benefits.payroll("2027-09", today=LATE)
    digest = payroll.digest

    swept = await kept.sweep(LATE, size=1)

    assert (swept.done_count, swept.total_count) == (2, 2)
    row = await kept.benefit()
    assert (row.state, row.suspended_from) == (BenefitState.SUSPENDED, month("2027-09"))
    assert (await others[0].benefit()).state is BenefitState.ACTIVE
    again = await benefits.start_payroll("2027-09", today=LATE)
    assert (again.digest, again.payment_count) == (digest, 1)  # the gate had held the two back before
    gates = await kept.rows("SELECT effect, detail FROM payroll_finding WHERE gate = 'CERTIFICATION'")
    assert [tuple(one) for one in gates] == [("BLOCK", "no success since 2026-09-01")] * 2
    (looked,) = await kept.rows(
        "SELECT sum(blocked_count) AS n, max(terms) AS terms FROM payroll_gate JOIN payroll USING (payroll_id)"
        " WHERE gate = 'CERTIFICATION' AND month = '2027-09-01'"
    )
    assert (looked["n"], looked["terms"]) == (2, "certified_since=2026-09-01")
    assert await kept.violations() == []

    assert (await kept.certify(date(2027, 10, 20))).standings[0].certification.due_by == date(2028, 10, 31)

    await benefits.approve_payroll(again, today=LATE)
    assert (await kept.benefit()).state is BenefitState.ACTIVE
    row_next = await benefits.payroll("2027-10", today=date(2027, 10, 25))
    months = await kept.rows(
        "SELECT month FROM payment WHERE payroll_id = $1 AND benefit_id = $2 ORDER BY month",
        row_next.payroll_id,
        kept.benefit_id,
    )
    assert [str(one["month"])[:7] for one in months] == ["2027-09", "2027-10"]
    said = await kept.rows(
        "SELECT subject, keys FROM outbox WHERE subject LIKE '%Suspended' OR subject LIKE '%Resumed'"
    )
    assert len(said) == 3
    assert await kept.violations() == []


async def test_a_success_just_before_the_sweep_wins_and_one_just_after_resumes(
    benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = [await a_pensioner(benefits, enrollment) for _ in range(4)]

    await asyncio.gather(kept[0].sweep(LATE, size=1), *(one.certify(LATE) for one in kept))

    assert {(await one.benefit()).state for one in kept} == {BenefitState.ACTIVE}
    assert await kept[0].violations() == []


async def test_a_success_counts_once_and_never_lies_in_the_future(benefits: Benefits, enrollment: Enrollment) -> None:
    kept = await a_pensioner(benefits, enrollment)
    assert (await kept.certify(date(2026, 9, 1))).is_new
    assert not (await kept.certify(date(2026, 9, 1))).is_new
    with refused(InvalidInput, "CERTIFIED_IN_FUTURE"):
        await kept.certify(date(2026, 9, 2), today=date(2026, 9, 1), evidence="RZ-2")
    with refused(InvalidInput, "EVIDENCE_REQUIRED"):
        await kept.certify(date(2026, 9, 1), evidence="110101199003070011")
    other = await a_pensioner(benefits, enrollment)
    await merged(enrollment, other.person_id, kept.person_id)  # one person, two pensions
    shown = await benefits.run(lambda tx: keeping_queries.doubles(tx, size=0, token=""))
    assert [set(row["benefit_ids"]) for row in shown[0]] == [{kept.benefit_id, other.benefit_id}]
    standings = (await other.certify(date(2026, 10, 1), evidence="RZ-3")).standings
    assert [one.last_date for one in standings] == [date(2026, 10, 1)] * 2
    assert await kept.violations() == []


async def test_a_file_of_matched_data_certifies_and_says_what_it_did_not_take(
    benefits: Benefits, enrollment: Enrollment, tmp_path: Path
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    await kept.paid("2027-08", date(2027, 8, 20))
    await kept.sweep(LATE)
    text = a_file(
        (kept.person_id, "2027-09-20", "YY-0001"),
        (kept.person_id, "2027-09-20", "YY-0001"),
        (ids.new_id(), "2027-09-20", "YY-0002"),
        ("张三", "2027-09-20", "YY-0003"),
        (kept.person_id, "2027-10-02", "YY-0004"),
        (kept.person_id, "2027-09-20", ""),
    )
    matched, upload_id, digest = await uploaded(tmp_path, benefits.database.settings.keys_dir, text)

    for _ in range(2):
        job = await benefits.run(
            lambda tx: keeping_import.start(tx, upload_id, digest, matched), CLERK, date(2027, 10, 1)
        )
        await kept.work(matched=matched)
    shown = await benefits.run(lambda tx: keeping_queries.job(tx, job.id))

    assert [(one.line, one.code) for one in shown.rejects] == [
        (5, "PERSON_NOT_FOUND"),
        (6, "ID_MALFORMED"),
        (7, "CERTIFIED_DATE_INVALID"),
        (8, "EVIDENCE_REQUIRED"),
    ]
    assert (shown.job.done_count, shown.job.skipped_count) == (0, 2)  # the second time nothing is new
    assert (await kept.benefit()).state is BenefitState.ACTIVE
    for wrong in (text.replace("#totals,6", "#totals,5"), text.replace("person_id,", "id_no,"), ""):
        matched, upload_id, digest = await uploaded(tmp_path, benefits.database.settings.keys_dir, wrong)
        with refused(InvalidInput, "FILE_FORMAT_INVALID"):
            await matched.open(upload_id, digest)
    assert await kept.violations() == []


async def test_a_simulated_face_check_is_nothing_in_production(benefits: Benefits, enrollment: Enrollment) -> None:
    kept = await a_pensioner(benefits, enrollment)
    command = Certify(kept.person_id, "", Source.FACE, TODAY, "FACE-1", simulated=True)
    shown = await benefits.run(lambda tx: keeping_certification.certify(tx, command, benefits.policy))
    assert [row["simulated"] for row in shown.certifications] == [True]
    object.__setattr__(benefits.database.settings, "env", "prod")

    with refused(Forbidden, "FACE_CHECK_SIMULATED"):
        await benefits.run(lambda tx: keeping_certification.certify(tx, command, benefits.policy))


async def test_months_in_prison_are_not_paid_and_a_suspicion_that_was_none_is_paid_in_full(
    benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    day = date(2026, 11, 10)
    await kept.paid("2026-10", date(2026, 10, 10))
    asked = await kept.suspend(SuspendReason.SUSPECTED, "2026-11", day)
    with refused(Forbidden, "SECOND_PERSON_REQUIRED"):
        await kept.decide(asked, principal=CLERK, today=day)
    with refused(AlreadyExists, "APPROVAL_PENDING"):
        await kept.suspend(SuspendReason.SUSPECTED, "2026-11", day)
    await kept.decide(asked, today=day)
    with refused(Refused, "APPROVAL_DECIDED"):
        await kept.decide(asked, today=day)
    assert await kept.paid("2026-11", day) == {}
    await kept.decide(await kept.resume(day), approve=False, today=day)
    assert (await kept.benefit()).state is BenefitState.SUSPENDED
    await kept.decide(await kept.resume(day), today=day)
    assert list(await kept.paid("2026-12", date(2026, 12, 10))) == ["2026-11", "2026-12"]

    # In January it becomes known that he is in prison since December; December was paid.
    day = date(2027, 1, 10)
    await kept.decide(await kept.suspend(SuspendReason.IMPRISONED, "2026-12", day), today=day)
    (found,) = await kept.recoveries()
    assert (found.recovery.reason, found.recovery.first_month) == ("IMPRISONED", month("2026-12"))
    day = date(2027, 4, 10)
    with refused(Refused, "HOLD_MONTH_INVALID"):
        await kept.resume(day)
    await kept.decide(await kept.resume(day, "2027-03"), today=day)

    assert list(await kept.paid("2027-04", day)) == ["2027-03", "2027-04"]
    shown = await benefits.run(lambda tx: keeping_queries.benefit_kept(tx, kept.benefit_id))
    assert [(row["reason"], str(row["forfeited_through"])[:7]) for row in shown.suspensions] == [
        ("IMPRISONED", "2027-02"),
        ("SUSPECTED", "None"),
    ]
    assert await kept.violations() == []


async def test_what_a_late_death_left_comes_back_and_never_more_than_that(
    benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    amount = (await kept.paid("2026-10", date(2026, 10, 10)))["2026-08"]
    await died(enrollment, kept.person_id, date(2026, 8, 9))
    (found,) = await kept.recoveries()
    debt = found.recovery
    assert (debt.amount, debt.reason, debt.first_month, debt.last_month) == (
        Money(2 * amount),
        "DIED",
        month("2026-09"),
        month("2026-10"),
    )
    day = date(2026, 11, 2)

    with refused(InvalidInput, "RECOVERY_PLAN_INVALID"):
        await kept.plan(debt.recovery_id, "1.00", "2026-11", day)
    await kept.decide(await kept.plan(debt.recovery_id, "1000.00", "2026-11", day), today=day)
    await kept.repay(debt.recovery_id, "1000.00", "SJ-0001", day)
    with refused(AlreadyExists, "REPAYMENT_RECEIPT_USED"):
        await kept.repay(debt.recovery_id, "1000.00", "SJ-0001", day)
    rest = Money(2 * amount) - Money.yuan("1000.00")
    with refused(Refused, "REPAYMENT_EXCEEDS"):
        await kept.repay(debt.recovery_id, str(rest + Money(1)), "SJ-0002", day)
    asked = await kept.write_off(debt.recovery_id, "100.00", day)
    await kept.repay(debt.recovery_id, str(rest - Money.yuan("50.00")), "SJ-0003", day)
    with refused(Refused, "REPAYMENT_EXCEEDS"):  # less is left than was asked to be given up
        await kept.decide(asked, today=day)
    await kept.decide(asked, approve=False, today=day)
    await kept.decide(await kept.write_off(debt.recovery_id, "50.00", day), today=day)

    (shown,) = await kept.recoveries(day)
    assert (shown.recovery.balance, shown.recovery.written_off) == (Money.ZERO, Money.yuan("50.00"))
    assert shown.due_now == Money.yuan("1000.00")
    with refused(Refused, "RECOVERY_SETTLED"):
        await kept.plan(debt.recovery_id, "1000.00", "2026-12", day)
    assert await kept.violations() == []


@pytest.mark.parametrize("answer", [Answer.CONFIRM, Answer.RETURN])
async def test_a_deduction_is_taken_when_the_bank_confirms(
    benefits: Benefits, enrollment: Enrollment, answer: Answer
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    day = date(2026, 9, 10)
    amount = Money((await kept.paid("2026-09", day))["2026-09"])
    cause = ids.new_id()

    async def too_high(tx: Transaction) -> None:
        await decisions.benefit(tx, kept.benefit_id, lock=True)
        over = [(kept.benefit_id, date(2026, 8, 1), date(2026, 9, 1), 25_000)]
        await keeping_recovery.note_overpaid_differences(tx, cause, "RECOMPUTED", over)

    for _ in range(2):  # the same recomputation again finds nothing new
        await benefits.run(too_high, CLERK, day)
    (found,) = await kept.recoveries()
    recovery_id = found.recovery.recovery_id
    with refused(Refused, "DEDUCTION_TOO_HIGH"):
        await kept.plan(recovery_id, str(amount), "2026-10", day, deduct=True)
    await kept.decide(await kept.plan(recovery_id, "100.00", "2026-10", day, deduct=True), today=day)

    payroll = await benefits.payroll("2026-12", today=date(2026, 12, 10))
    held = await kept.rows("SELECT amount_fen FROM deduction ORDER BY amount_fen")
    assert [one["amount_fen"] for one in held] == [5000, 10000, 10000]  # never more than is owed
    with refused(Refused, "REPAYMENT_EXCEEDS"):  # it is on its way
        await kept.repay(recovery_id, "0.01", "SJ-0009")
    await kept.rows("UPDATE deduction SET amount_fen = amount_fen - 1")
    with refused(Refused, "PAYROLL_CHANGED"):  # what is held back is part of what is approved
        await benefits.approve_payroll(payroll, today=date(2026, 12, 10))
    await kept.rows("UPDATE deduction SET amount_fen = amount_fen + 1")
    await benefits.approve_payroll(payroll, today=date(2026, 12, 10))
    for one in await kept.rows("SELECT payment_id FROM payment WHERE payroll_id = $1", payroll.payroll_id):
        await benefits.answer(one["payment_id"], answer, today=date(2026, 12, 12))
    done = [one["payment_id"] for one in await kept.rows("SELECT payment_id FROM payment")]
    assert await benefits.run(lambda tx: keeping_recovery.answered_many(tx, done)) == 0  # each was taken when answered

    (shown,) = await kept.recoveries()
    left = Money.ZERO if answer is Answer.CONFIRM else Money.yuan("250.00")
    assert (shown.recovery.balance, shown.recovery.held) == (left, Money.ZERO)
    # The overpayment is the test's own: that the pension was owed in full is all that the rules find.
    assert [one.split()[0] for one in await kept.violations()] == ["PAID_IS_WHAT_IS_OWED"]


async def test_another_account_needs_two_and_is_paid_from_the_next_payroll_on(
    benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    await kept.paid("2026-08", date(2026, 8, 10))
    before = (await kept.benefit()).payee_id
    asked = await kept.change_payee("6222021001119998887", date(2026, 8, 20))
    assert (await kept.benefit()).payee_id == before
    assert "6222" not in asked.payload.decode()

    await kept.decide(asked, today=date(2026, 8, 21))

    await kept.paid("2026-09", date(2026, 9, 10))
    paid = await kept.rows("SELECT payee_id FROM payment ORDER BY month")
    assert [paid[0]["payee_id"] == before, paid[1]["payee_id"] == before] == [True, False]
    (change,) = (await benefits.run(lambda tx: keeping_queries.benefit_kept(tx, kept.benefit_id))).payees
    assert (change["old_tail"], change["new_tail"]) == ("3334", "8887")
    assert await kept.violations() == []


async def test_a_death_that_was_none_lets_the_pension_go_on_with_every_month(
    benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    amount = Money((await kept.paid("2026-09", date(2026, 9, 10)))["2026-09"])
    await benefits.payroll("2026-10", today=date(2026, 10, 5))  # nobody released it
    await died(enrollment, kept.person_id, date(2026, 7, 30))
    (found,) = await kept.recoveries()
    await kept.repay(found.recovery.recovery_id, str(amount), "SJ-0001")
    assert await kept.violations() == []

    await died(enrollment, kept.person_id, date(2026, 8, 15))  # a correction: August was owed

    assert (await kept.benefit()).last_month == month("2026-08")
    (found,) = await kept.recoveries()
    assert (found.recovery.cancelled, found.recovery.balance) == (amount, Money.ZERO)

    await died(enrollment, kept.person_id, None)  # it was somebody else

    row = await kept.benefit()
    assert (row.state, row.last_month, row.next_month) == (BenefitState.ACTIVE, None, month("2026-10"))
    (due,) = await kept.rows("SELECT amount_fen FROM difference WHERE payment_id IS NULL")
    assert due["amount_fen"] == amount.fen  # what came back is paid again
    supplement = await benefits.payroll("2026-10", today=date(2026, 10, 20))
    await benefits.approve_payroll(supplement, today=date(2026, 10, 20))
    await benefits.payroll("2026-10", today=date(2026, 10, 21))
    months = await kept.rows("SELECT month FROM payment WHERE state <> 'WITHDRAWN' AND item = 'MONTH' ORDER BY month")
    assert [str(one["month"])[:7] for one in months] == ["2026-08", "2026-09", "2026-10"]
    await died(enrollment, kept.person_id, date(2026, 8, 20))  # and dies after all
    assert {one.recovery.reason for one in await kept.recoveries()} == {"DIED"}
    await died(enrollment, kept.person_id, date(2026, 8, 1))
    assert await kept.violations() == []


async def test_a_held_benefit_that_ends_is_paid_to_its_end(benefits: Benefits, enrollment: Enrollment) -> None:
    kept = await a_pensioner(benefits, enrollment)
    await kept.paid("2027-08", date(2027, 8, 20))
    await kept.sweep(LATE)
    await died(enrollment, kept.person_id, date(2027, 10, 3))

    row = await kept.benefit()
    assert (row.state, row.suspended_from, row.next_month) == (BenefitState.ENDED, None, month("2027-09"))
    assert list(await kept.paid("2027-11", date(2027, 11, 5))) == ["2027-09", "2027-10"]
    assert await kept.violations() == []


async def test_the_set_form_counts_due_days_as_the_law_does(benefits: Benefits, policy: BenefitsPolicy) -> None:
    terms = policy.certification.terms(TODAY)
    days = [date(2024, 1, 1) + timedelta(days=17 * step) for step in range(60)] + [
        date(2024, 2, 29),
        date(2023, 12, 31),
    ]
    expression = keeping_overdue._DUE_BY.replace("$2", str(terms.cycle_months.value))

    rows = await owner_fetch(
        benefits.database, f"SELECT last_date, {expression} AS due FROM unnest($1::date[]) AS one (last_date)", days
    )

    assert [row["due"] for row in rows] == [law.assess(day, day, terms).due_by for day in days]
    assert Month.of(rows[0]["due"]) == month("2025-01")
