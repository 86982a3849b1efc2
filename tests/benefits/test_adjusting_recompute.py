"""Computing again when a parameter became final, and what another value of one would mean."""

from __future__ import annotations

import contextlib
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chassis.worker import Worker
from kernel.calendar import Month
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, Refused
from kernel.money import Money
from services.benefits import calculation
from services.benefits.adjusting import AmountsSource, RunState, Terms, owed
from services.benefits.adjusting_commands import CreateAdjustment, CreateRecomputation, CreateWhatIf, Discard
from services.benefits.commands import Approve
from services.benefits.domain.adjustment import AdjustmentFacts, adjust, age_for, full_years
from services.benefits.lifecycle import Kind
from services.benefits.operations import adjusting, adjusting_annual, adjusting_recompute, adjusting_whatif
from services.benefits.store import decisions
from tests.benefits.builders import CLERK, SUPERVISOR, Benefits, Enrollment
from tests.benefits.test_adjusting import Killed, dying, lease_over, rows
from tests.plugins.databases import owner_execute

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.calculation import Calculation
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.adjusting import Run

TODAY = date(2027, 3, 20)
BASE = ("pension-employee.yaml", "calculation_base")


@pytest.fixture
def final(policy: BenefitsPolicy) -> BenefitsPolicy:
    """The law after the base of 2026 was published, higher than the one that stood in for it."""
    return adjusting_whatif.changed(policy, terms_of("9300.00"))


def terms_of(value: str, sample: int = 0) -> dict[str, Any]:
    file, key = BASE
    return {"file": file, "key": key, "from": "2026-01-01", "to": "2026-12-31", "value": value, "sample": sample}


async def work(benefits: Benefits, policy: BenefitsPolicy, size: int = 2) -> None:
    worker = Worker(
        benefits.database, [*adjusting_recompute.job_kinds(policy, size=size), *adjusting_annual.job_kinds(size=size)]
    )
    while await worker.run_one():
        pass


async def shown(benefits: Benefits, run: Run) -> Run:
    found: Run = await benefits.run(lambda tx: adjusting.found(tx, run.adjustment_id))
    return found


async def approved(benefits: Benefits, run: Run) -> Run:
    looked = await shown(benefits, run)
    command = Approve(run.adjustment_id, looked.digest or b"")
    await benefits.run(lambda tx: adjusting.approve(tx, command), SUPERVISOR, TODAY)
    started: Run = await benefits.run(lambda tx: adjusting.start(tx, run.adjustment_id), today=TODAY)
    return started


async def test_a_provisional_pension_is_computed_again_with_its_adjustment_and_the_difference(
    database: Database,
    enrollment: Enrollment,
    benefits: Benefits,
    final: BenefitsPolicy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = benefits.policy
    people = []
    for balance in ("150000.00", "90000.00", "210000.00"):
        person_id = await enrollment.about_to_retire(balance=balance)
        shown_ = await benefits.approve(await benefits.prepare_pension(person_id))
        assert shown_.benefit is not None
        people.append((person_id, shown_.benefit, shown_.calculation))
    # The year after: adjusted in January 2027, paid until February.
    annual = CreateAdjustment(2027, AmountsSource.DEMO)
    run: Run = await benefits.run(lambda tx: adjusting.create(tx, annual, policy), today=TODAY)
    await benefits.run(lambda tx: adjusting.dry_run(tx, run.adjustment_id), today=TODAY)
    await work(benefits, policy)
    await approved(benefits, run)
    await work(benefits, policy)
    payroll = await benefits.payroll("2027-02", today=TODAY)
    await benefits.approve_payroll(payroll, today=TODAY)
    # One account was settled with the final interest.
    await enrollment.settled(people[0][0], balance="151000.00", provisional=False)

    again: Run = await benefits.run(
        lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), final), today=TODAY
    )
    with pytest.raises(AlreadyExists) as twice:
        await benefits.run(lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), final), today=TODAY)
    assert twice.value.metadata["adjustment"] == again.text_id
    await work(benefits, final)
    looked = await shown(benefits, again)
    assert looked.impact is not None
    assert looked.impact.total.persons == 3
    assert await rows(database, "SELECT 1 FROM benefit_amount WHERE cause = 'RECOMPUTED'") == []
    with pytest.raises(Forbidden):
        await benefits.run(
            lambda tx: adjusting.approve(tx, Approve(again.adjustment_id, looked.digest or b"")), CLERK, TODAY
        )
    await approved(benefits, again)
    calls = dying(monkeypatch, {2})
    for _ in range(2):
        with contextlib.suppress(Killed):
            await work(benefits, final)
        await lease_over(database)
    done = await shown(benefits, again)
    assert (done.state, done.result, len(calls)) == (RunState.DONE, done.impact, 3)

    law = Terms(2027, policy.adjustment.demo.on(date(2027, 1, 1)))
    total = 0
    for person_id, benefit, made in people:
        inputs = dict(made.inputs)
        if person_id == people[0][0]:
            inputs |= {"balance_fen": 15_100_000, "balance_provisional": False}
        new = calculation.recompute(Kind.EMPLOYEE_PENSION, inputs, Month(2026, 8), final)
        total += await difference_of(database, benefits, benefit.benefit_id, new, law)
        same = calculation.recompute(Kind.EMPLOYEE_PENSION, made.inputs, Month(2026, 8), policy)
        assert same.statement == made.statement
    assert done.result is not None
    assert done.result.total.back_fen == total


async def difference_of(database: Database, benefits: Benefits, benefit_id: UUID, new: Calculation, law: Terms) -> int:
    """What one person is owed, after looking at every row of theirs."""
    line = adjust(AdjustmentFacts(new.statement.total, full_years(336), age_for(Month(1966, 3), 2027)), law.law)
    found = await benefits.run(lambda tx: decisions.amounts(tx, [benefit_id]))
    amounts = found[benefit_id]
    assert [(one.from_month, one.amount) for one in amounts[2:]] == [
        (Month(2026, 8), new.statement.total),
        (Month(2027, 1), line.new_pension),
    ]
    now = await rows(database, "SELECT monthly_fen, provisional FROM benefit WHERE benefit_id = $1", benefit_id)
    assert now == [{"monthly_fen": line.new_pension.fen, "provisional": new.statement.provisional}]
    # Seven months stand in payrolls, two of them by the adjusted amount.
    fen = [one.amount.fen for one in amounts]
    change: int = 5 * (fen[2] - fen[0]) + 2 * (fen[3] - fen[1])
    owed_ = await rows(
        database, "SELECT amount_fen FROM difference WHERE benefit_id = $1 AND cause = 'RECOMPUTED'", benefit_id
    )
    assert owed_ == [{"amount_fen": change}]
    return change


async def test_a_lower_final_value_is_listed_as_overpaid_and_one_benefit_can_be_asked_for(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy
) -> None:
    first = await benefits.approve(await benefits.prepare_pension(await enrollment.about_to_retire()))
    await benefits.approve(await benefits.prepare_pension(await enrollment.about_to_retire(balance="1000.00")))
    await benefits.approve_payroll(await benefits.payroll("2026-12", today=TODAY), today=TODAY)
    assert first.benefit is not None
    lower = adjusting_whatif.changed(policy, terms_of("8800.00"))

    command = CreateRecomputation(first.benefit.benefit_id)
    run: Run = await benefits.run(lambda tx: adjusting_whatif.recompute(tx, command, lower), today=TODAY)
    await work(benefits, lower)
    await approved(benefits, run)
    await work(benefits, lower)

    done = await shown(benefits, run)
    over = await rows(database, "SELECT benefit_id, amount_fen FROM adjustment_overpaid")
    owed = await rows(database, "SELECT benefit_id, amount_fen FROM recovery")
    assert [tuple(row) for row in owed] == [tuple(row) for row in over]
    assert done.result is not None
    assert over == [{"benefit_id": first.benefit.benefit_id, "amount_fen": done.result.total.over_fen}]
    assert done.result.total.over_fen == -5 * done.result.total.monthly_fen > 0
    assert await rows(database, "SELECT 1 FROM difference") == []
    # The law changed between dry run and run: nothing is written by another law than was looked at.
    other: Run = await benefits.run(
        lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), policy), today=TODAY
    )
    await work(benefits, policy)
    await approved(benefits, other)
    await owner_execute(database, "UPDATE job_chunk SET attempts = 4 WHERE state = 'QUEUED'")
    await work(benefits, lower)
    states = await rows(database, "SELECT state, message FROM job ORDER BY id DESC LIMIT 1")
    assert states[0]["state"] == "FAILED"


async def test_what_another_value_would_mean_is_computed_and_nothing_else_is_kept(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy
) -> None:
    made = [
        await benefits.approve(await benefits.prepare_pension(await enrollment.about_to_retire(balance=balance)))
        for balance in ("150000.00", "90000.00", "210000.00")
    ]
    before = await rows(database, "SELECT * FROM benefit ORDER BY benefit_id")
    file, key = BASE
    command = CreateWhatIf(file, key, date(2026, 1, 1), None, "9500.00")

    run: Run = await benefits.run(lambda tx: adjusting_whatif.what_if(tx, command, policy))
    await work(benefits, policy)
    seen = await shown(benefits, run)

    other = adjusting_whatif.changed(policy, {**terms_of("9500.00"), "to": None})
    expected = [
        calculation.recompute(Kind.EMPLOYEE_PENSION, one.calculation.inputs, Month(2026, 8), other).statement.total.fen
        - one.calculation.statement.total.fen
        for one in made
    ]
    assert seen.impact is not None
    assert (seen.impact.total.monthly_fen, seen.impact.least, seen.impact.most) == (
        sum(expected),
        min(expected),
        max(expected),
    )
    assert len(seen.impact.samples) == 3
    assert set(seen.impact.samples[0].facts) == {"before", "after"}
    assert await rows(database, "SELECT * FROM benefit ORDER BY benefit_id") == before
    assert policy.pension.calculation_base.provisionally_on(date(2026, 8, 1)).value != Money.yuan("9500.00")
    sample: Run = await benefits.run(
        lambda tx: adjusting_whatif.what_if(tx, CreateWhatIf(file, key, date(2026, 1, 1), None, "9500.00", 2), policy)
    )
    await work(benefits, policy, size=1)
    drawn = (await shown(benefits, sample)).impact
    assert drawn is not None
    assert drawn.total.persons == 2
    for wrong, reason in (
        (CreateWhatIf(file, "no_such_key", date(2026, 1, 1), None, "1"), "POLICY_PARAMETER_UNKNOWN"),
        (CreateWhatIf(file, key, date(2026, 1, 1), date(2025, 1, 1), "1.00"), "POLICY_DAYS_INVALID"),
        (CreateWhatIf(file, key, date(2026, 1, 1), None, "a lot"), "POLICY_VALUE_INVALID"),
        (CreateWhatIf(file, key, date(2026, 1, 1), None, "-1.00"), "POLICY_VALUE_INVALID"),
        (CreateWhatIf(file, key, date(2026, 1, 1), None, "[1]"), "POLICY_VALUE_INVALID"),
        (CreateWhatIf(file, key, date(2026, 1, 1), None, "9500.00", 10**6), "WHAT_IF_SAMPLE_INVALID"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await benefits.run(partial(adjusting_whatif.what_if, command=wrong, policy=policy))
        assert refused.value.reason == reason
    with pytest.raises(Refused):
        await benefits.run(lambda tx: adjusting.approve(tx, Approve(run.adjustment_id, seen.digest or b"")), SUPERVISOR)
    await benefits.run(lambda tx: adjusting.discard(tx, Discard(run.adjustment_id)))


def test_owed_months_are_counted_by_what_was_in_force() -> None:
    class At:
        def __init__(self, month: Month, fen: int) -> None:
            self.from_month, self.amount = month, Money(fen)

    before = [At(Month(2026, 1), 100), At(Month(2026, 4), 200)]
    after = [At(Month(2026, 1), 100), At(Month(2026, 3), 150), At(Month(2026, 6), 190)]

    assert owed(before, after, Month(2026, 1), Month(2026, 7)) == (Month(2026, 3), Month(2026, 7), Money(50 - 100 - 20))
    assert owed(before, after, Month(2026, 1), Month(2026, 2)) is None
    assert owed(before, before, Month(2026, 1), Month(2026, 7)) is None
