"""An adjustment is reversed after a recomputation came in between: no amount is taken back twice, none forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.benefits.adjusting import AmountsSource, RunState
from services.benefits.adjusting_commands import CreateAdjustment, CreateRecomputation, Reverse
from services.benefits.operations import adjusting, adjusting_whatif
from tests.benefits.builders import CLERK, SUPERVISOR, Benefits, Enrollment
from tests.benefits.test_adjusting import rows
from tests.benefits.test_adjusting_recompute import TODAY, approved, shown, terms_of, work

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.store.adjusting import Run

# What was paid and is still to be paid, less what has to come back, is what the months in payrolls are worth now.
SETTLED = """
    SELECT benefit_id FROM benefit CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount_fen), 0) AS fen FROM payment
        WHERE payment.benefit_id = benefit.benefit_id AND item = 'MONTH' AND state <> 'WITHDRAWN'
    ) AS months CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount_fen), 0) AS fen FROM difference
        WHERE difference.benefit_id = benefit.benefit_id AND withdrawn_date IS NULL
    ) AS owed CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount_fen), 0) AS fen FROM recovery WHERE recovery.benefit_id = benefit.benefit_id
    ) AS back CROSS JOIN LATERAL (
        SELECT sum(worth.amount_fen) AS fen FROM payment AS paid CROSS JOIN LATERAL (
            SELECT amount_fen FROM benefit_amount AS one
            WHERE one.benefit_id = benefit.benefit_id AND from_month <= paid.month ORDER BY number DESC LIMIT 1
        ) AS worth WHERE paid.benefit_id = benefit.benefit_id AND item = 'MONTH' AND paid.state <> 'WITHDRAWN'
    ) AS due WHERE months.fen + owed.fen - back.fen <> due.fen
"""


@pytest.mark.parametrize(("value", "is_paid"), [("8800.00", False), ("8800.00", True), ("9300.00", True)])
async def test_a_reversal_after_a_recomputation_takes_nothing_back_twice(
    database: Database, enrollment: Enrollment, benefits: Benefits, value: str, *, is_paid: bool
) -> None:
    policy = benefits.policy
    await benefits.approve(await benefits.prepare_pension(await enrollment.about_to_retire()))
    await benefits.approve_payroll(await benefits.payroll("2027-01", today=TODAY), today=TODAY)
    annual = CreateAdjustment(2027, AmountsSource.DEMO)
    run: Run = await benefits.run(lambda tx: adjusting.create(tx, annual, policy), today=TODAY)
    await benefits.run(lambda tx: adjusting.dry_run(tx, run.adjustment_id), today=TODAY)
    await work(benefits, policy)
    await approved(benefits, run)
    await work(benefits, policy)
    if is_paid:  # February by the new amount, and the difference of January
        await benefits.approve_payroll(await benefits.payroll("2027-02", today=TODAY), today=TODAY)
    law = adjusting_whatif.changed(policy, terms_of(value))
    again: Run = await benefits.run(lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), law), today=TODAY)
    await work(benefits, law)
    await approved(benefits, again)
    await work(benefits, law)
    assert await rows(database, SETTLED) == []

    ask = Reverse(run.adjustment_id, (await shown(benefits, run)).digest or b"", "参数有误")
    await benefits.run(lambda tx: adjusting.reverse(tx, ask), CLERK, TODAY)
    await benefits.run(lambda tx: adjusting.reverse(tx, ask), SUPERVISOR, TODAY)
    await work(benefits, policy)

    assert (await shown(benefits, run)).state is RunState.REVERSED
    assert await rows(database, SETTLED) == []
