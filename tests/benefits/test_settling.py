"""What two rooms do to one benefit adds up: cases that the walk through all rooms found, each by itself."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from kernel.money import Money
from services.benefits.adjusting import AmountsSource
from services.benefits.adjusting_commands import CreateAdjustment, Reverse
from services.benefits.commands import Approve
from services.benefits.keeping import SuspendReason
from services.benefits.kind_commands import EndBenefit
from services.benefits.lifecycle import Answer, BenefitState, EndReason
from services.benefits.operations import adjusting, kinds_ending
from tests.benefits.builders import CLERK, SUPERVISOR, Benefits, Enrollment, month
from tests.benefits.keeping import Keeping, a_pensioner
from tests.benefits.test_adjusting import Office
from tests.benefits.test_persons import died

if TYPE_CHECKING:
    from uuid import UUID

YEAR = CreateAdjustment(2027, AmountsSource.DEMO)


async def adjusted(benefits: Benefits, today: date) -> UUID:
    """The adjustment of 2027, run on a day."""
    office = Office(benefits)
    run = await benefits.run(lambda tx: adjusting.create(tx, YEAR, benefits.policy), CLERK, today)
    looked = await office.dry_run(run)
    command = Approve(run.adjustment_id, looked.digest or b"")
    await benefits.run(lambda tx: adjusting.approve(tx, command), SUPERVISOR, today)
    await benefits.run(lambda tx: adjusting.start(tx, run.adjustment_id), CLERK, today)
    await office.work()
    found: UUID = run.adjustment_id
    return found


async def reversed_(benefits: Benefits, run_id: UUID, today: date) -> None:
    """The same, taken back by two."""
    run = await benefits.run(lambda tx: adjusting.found(tx, run_id))
    for principal in (CLERK, SUPERVISOR):
        await benefits.run(lambda tx: adjusting.reverse(tx, Reverse(run_id, run.digest, "参数有误")), principal, today)
    await Office(benefits).work()


async def figures(kept: Keeping) -> tuple[int, int, int]:
    """What was paid, what waits, what is recovered, in fen."""
    (row,) = await kept.rows(
        """
        SELECT (SELECT coalesce(sum(amount_fen), 0)::bigint FROM payment WHERE benefit_id = $1
                AND state IN ('OPEN', 'CONFIRMED')) AS paid,
               (SELECT coalesce(sum(amount_fen), 0)::bigint FROM difference WHERE benefit_id = $1
                AND payment_id IS NULL AND withdrawn_date IS NULL) AS waits,
               (SELECT coalesce(sum(amount_fen - cancelled_fen), 0)::bigint FROM recovery
                WHERE benefit_id = $1) AS taken
        """,
        kept.benefit_id,
    )
    return row["paid"], row["waits"], row["taken"]


async def test_what_a_run_and_a_death_do_to_the_same_months_is_counted_once(
    benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    march = date(2027, 3, 10)
    old = (await kept.paid("2027-03", march))["2027-01"]  # August to March, by the old amount
    run_id = await adjusted(benefits, march)
    new = (await kept.benefit()).monthly.fen
    gain = new - old
    assert await figures(kept) == (8 * old, 3 * gain, 0)

    # Dead since January: of the difference that waits only January's is owed, and can be paid.
    await died(enrollment, kept.person_id, date(2027, 1, 9))
    assert await figures(kept) == (8 * old, 0, 2 * old - gain)
    (found,) = await kept.recoveries(march)
    assert found.recovery.balance == Money(2 * old - gain)
    assert await kept.violations() == []

    # It was somebody else; April is paid by the new amount, the run is reversed, and then the death was in March.
    await died(enrollment, kept.person_id, None)
    paid, waits, taken = await figures(kept)
    assert paid + waits - taken == 8 * old + 3 * gain
    await kept.paid("2027-04", date(2027, 4, 10))
    await reversed_(benefits, run_id, date(2027, 4, 20))
    paid, waits, taken = await figures(kept)
    assert paid + waits - taken == 9 * old
    await died(enrollment, kept.person_id, date(2027, 3, 2))

    paid, waits, taken = await figures(kept)
    assert paid + waits - taken == 8 * old  # August to March, nothing twice
    assert await kept.violations() == []


async def test_months_in_prison_are_lost_whatever_became_of_them(benefits: Benefits, enrollment: Enrollment) -> None:
    kept = await a_pensioner(benefits, enrollment)
    await kept.paid("2026-09", date(2026, 9, 10))
    row = await benefits.payroll("2026-10", today=date(2026, 10, 10))
    await benefits.approve_payroll(row, today=date(2026, 10, 10))
    (sent,) = await kept.rows("SELECT payment_id, amount_fen FROM payment WHERE state = 'OPEN'")
    await benefits.answer(sent["payment_id"], Answer.RETURN, today=date(2026, 10, 12))
    monthly, today = sent["amount_fen"], date(2026, 11, 20)

    # From September on: September is recovered, October came back and is not sent again.
    await kept.decide(await kept.suspend(SuspendReason.IMPRISONED, "2026-09", today), today=today)
    (back,) = await kept.rows("SELECT state FROM returned_payment")
    assert (back["state"], await figures(kept)) == ("LAPSED", (2 * monthly, 0, monthly))
    await kept.decide(await kept.resume(today, "2026-11"), today=today)

    # A death in August that was none brings none of these months back.
    await died(enrollment, kept.person_id, date(2026, 8, 30))
    await died(enrollment, kept.person_id, None)
    await kept.paid("2026-12", date(2026, 12, 10))

    paid, waits, taken = await figures(kept)
    assert paid + waits - taken == 3 * monthly  # August, November, December
    assert await kept.violations() == []


async def test_who_claims_late_has_the_adjustments_that_stand(benefits: Benefits, enrollment: Enrollment) -> None:
    kept = await a_pensioner(benefits, enrollment)
    old = (await kept.benefit()).monthly
    run_id = await adjusted(benefits, date(2027, 3, 10))
    person_id = await enrollment.about_to_retire()
    today = date(2027, 5, 20)
    shown = await benefits.approve(await benefits.prepare_pension(person_id, today=today), today=today)

    assert shown.benefit is not None
    late = Keeping(benefits, enrollment, person_id, shown.benefit.benefit_id)
    paid = await late.paid("2027-05", today)
    expected = (await kept.benefit()).monthly
    assert expected > old
    assert {amount for one, amount in paid.items() if one < "2027"} == {old.fen}
    rows = await late.rows(
        "SELECT DISTINCT amount_fen FROM payment WHERE benefit_id = $1 AND month >= '2027-01-01'", late.benefit_id
    )
    assert [row["amount_fen"] for row in rows] == [expected.fen]
    await reversed_(benefits, run_id, today)  # a reversal finds who joined later
    assert (await late.benefit()).monthly == old
    assert await late.violations() == []


async def test_what_ended_a_benefit_is_not_forgotten(benefits: Benefits, enrollment: Enrollment) -> None:
    # A job that is heard after the benefit has run out, and after that a death that was none.
    person_id = await enrollment.unemployed(first="2023-01", last="2025-06")
    approved = await benefits.approve(await benefits.prepare_unemployment(person_id))
    assert approved.benefit is not None
    kept = Keeping(benefits, enrollment, person_id, approved.benefit.benefit_id)
    assert approved.benefit.last_month == month("2026-07")
    await kept.paid("2026-07", date(2026, 7, 20))
    assert (await kept.benefit()).end_reason is EndReason.EXHAUSTED
    await enrollment.hired(person_id, "2026-05")

    row = await kept.benefit()
    assert (row.end_reason, row.last_month) == (EndReason.REEMPLOYED, month("2026-04"))
    assert len(await kept.rows("SELECT 1 FROM overpayment")) == 3
    await died(enrollment, person_id, date(2026, 2, 3))
    assert (await kept.benefit()).last_month == month("2026-02")
    await died(enrollment, person_id, None)
    row = await kept.benefit()
    assert (row.state, row.end_reason, row.last_month) == (BenefitState.ENDED, EndReason.REEMPLOYED, month("2026-04"))
    assert await kept.violations() == []

    # What was revoked stays revoked through a death and back.
    other = await a_pensioner(benefits, enrollment)
    await other.paid("2026-12", date(2026, 12, 10))
    command = EndBenefit(other.benefit_id, EndReason.REVOKED, month("2026-10"), "撤销1号")
    await benefits.run(lambda tx: kinds_ending.end_benefit(tx, command), SUPERVISOR, date(2026, 12, 20))
    for day, last in ((date(2026, 9, 3), "2026-09"), (None, "2026-10")):
        await died(enrollment, other.person_id, day)
        row = await other.benefit()
        assert (row.end_reason, row.last_month) == (EndReason.REVOKED, month(last))
    assert await other.violations() == []
