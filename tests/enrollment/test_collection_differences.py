"""Final limits: difference lines up and down, by the same law as one person's month, never over what was billed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chassis import transaction
from chassis.principal import Principal
from hrss.enrollment.v1 import collection_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as register
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from services.enrollment import billing
from services.enrollment.billing import Terms
from services.enrollment.domain.contributions import BaseLimits, EmployerTerms, contribution_rates
from services.enrollment.service import build
from services.enrollment.store import differences
from tests.enrollment.builders import PARTNER, a_receipt, day, money, month
from tests.enrollment.collecting import (
    a_receipts_file,
    a_row,
    ask,
    checked,
    code_of,
    job_of,
    ledger,
    send,
    suspense,
    verdicts,
)
from tests.enrollment.conftest import Bureau, run_side_by_side
from tests.enrollment.test_bills import POLICY, an_assessment
from tests.enrollment.test_races import run_process
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from chassis.transaction import Transaction

JANUARY = Month(2026, 1)
THEN, LATER = date(2026, 1, 20), date(2026, 7, 10)
FINAL = """
schema: hrss-policy-local/1
entries:
  - {{id: PHASE, file: contribution.yaml, key: work_injury.phase_reduction_factor, from: 2019-05-01, to: 2026-12-31,
     value: "1.0", confidence: assumed, reason: test, reviewers: [one, two], decided: 2026-01-01}}
  - {{id: LIMITS, file: contribution.yaml, key: base_limits, from: 2026-01-01, to: 2026-12-31,
     value: {{floor: "{floor}", ceiling: "{ceiling}"}}, confidence: certain, reason: test, reviewers: [one, two],
     decided: 2026-06-30}}
"""


@asynccontextmanager
async def with_limits(bureau: Bureau, tmp_path: Path, floor: str, ceiling: str) -> AsyncIterator[Bureau]:
    """The same bureau after the final limits were entered."""
    path = tmp_path / f"final-{floor}.yaml"
    path.write_text(FINAL.format(floor=floor, ceiling=ceiling), encoding="utf-8")
    service = build(bureau.database.settings.model_copy(update={"policy_local": path}))
    async with serve(service, database=bureau.database) as running:
        yield Bureau(bureau.database, service, running)


async def a_january(bureau: Bureau, *wages: str, paid: bool = True) -> tuple[str, model.Bill, list[Any]]:
    """An employer with a bill of January 2026 by provisional limits."""
    employer_id = await bureau.employer()
    people = [
        await bureau.enrolled(employer_id, today=THEN, start_month=month(JANUARY), wage=money(wage)) for wage in wages
    ]
    bill = (await bureau.call("AssessBill", an_assessment(employer_id, JANUARY), today=THEN)).bill
    if paid:
        await bureau.call("RecordReceipt", a_receipt(bill, paid_date=day(THEN)), by=PARTNER, today=THEN)
    return employer_id, bill, people


async def settle(bureau: Bureau, *, run: bool = True) -> job_pb2.Job:
    """Settle January by the limits that are known now."""
    job = (await ask(bureau, "SettleLimits", today=LATER, first_month=month(JANUARY), last_month=month(JANUARY))).job
    if run:
        await bureau.run_jobs()
    return await job_of(bureau, job.job_id)


async def balance(bureau: Bureau, person_id: str) -> int:
    """What is on a person's account in fen."""
    account = await bureau.call("GetAccount", register.GetAccountRequest(person_id=person_id))
    fen: int = account.balance.fen
    return fen


async def test_provisional_limits_cannot_be_settled(bureau: Bureau) -> None:
    with pytest.raises(Refused, match="LIMITS_PROVISIONAL"):
        await settle(bureau)
    with pytest.raises(InvalidInput, match="MONTHS_REVERSED"):
        await ask(bureau, "SettleLimits", first_month=month(JANUARY.next), last_month=month(JANUARY))


async def test_higher_limits_demand_the_difference_and_credit_it_when_it_is_paid(
    bureau: Bureau, tmp_path: Path
) -> None:
    employer_id, bill, people = await a_january(bureau, "3000.00", "8000.00", "40000.00")
    low, middle, high = (one.person_id for one in people)
    before = [await balance(bureau, one) for one in (low, middle, high)]

    async with with_limits(bureau, tmp_path, "5100", "25500") as later:
        job = await settle(later)
        assert (job.state, job.total_count, job.done_count) == (job_pb2.JOB_STATE_DONE, 3, 2)
        (demand,) = (await ask(later, "ListDemands", employer_id=employer_id)).demands
        # 148 more for the low and 738 more for the high; 16 + 8 + 0.5 + 0.5 + 0.4 % of each, rounded one by one.
        parts = [("148", "0.16"), ("148", "0.08"), ("148", "0.005"), ("148", "0.005")]
        assert sum(Money.yuan(base).times(Decimal(rate)).fen for base, rate in parts) == 2368 + 1184 + 74 + 74
        assert (demand.kind, demand.bill_id) == (pb.DEMAND_KIND_DIFFERENCE, bill.bill_id)
        lines = await ask(later, "ListDifferenceLines", difference_id=demand.difference_id)
        shown = {line.person_id: line for line in lines.lines}
        assert {name: (line.base_before.fen, line.base.fen) for name, line in shown.items()} == {
            low: (495_200, 510_000), high: (2_476_200, 2_550_000),
        }  # fmt: skip
        assert sum(line.difference.fen for line in lines.lines) == demand.total.fen == lines.total.fen
        assert shown[low].account_difference.fen == Money.yuan("148").times(Decimal("0.08")).fen
        assert list(shown[low].statement.lines[0].parameters[0].sources) == ["LOCAL:LIMITS"]
        assert not lines.settled
        assert [await balance(later, one) for one in (low, middle, high)] == before

        code = await code_of(later, employer_id)
        paid = [a_row("DIF-1", code, demand.demand_id, Money(demand.total.fen), LATER)]
        job = await send(later, a_receipts_file(paid, day=LATER), today=LATER)
        assert await verdicts(later, job) == [(3, "ACCEPTED", "")]
        after = [await balance(later, one) for one in (low, middle, high)]
        assert [two - one for one, two in zip(before, after, strict=True)] == [1184, 0, 5904]
        assert (await ask(later, "ListDifferenceLines", difference_id=demand.difference_id)).settled
        said = [fact for fact in await later.said(events.ContributionsSettled) if fact.source.startswith("difference:")]
        assert {(fact.header.aggregate_id, fact.items[0].base.fen) for fact in said} == {
            (low, 510_000), (high, 2_550_000),
        }  # fmt: skip
        months = await later.call("ListContributions", register.ListContributionsRequest(person_id=low))
        # 5,100 by 16, 8, 0.5, 0.5 and 0.4 %: as if it had been billed so.
        assert [(one.base.fen, one.employer.fen, one.employee.fen) for one in months.months] == [
            (510_000, 81_600, 40_800), (510_000, 2_550, 2_550), (510_000, 2_040, 0),
        ]  # fmt: skip
        again = await settle(later)
        assert (again.done_count, again.state) == (0, job_pb2.JOB_STATE_DONE)
        assert await checked(later) == []
    rows = await bureau.rows("SELECT base_fen FROM bill_line ORDER BY base_fen")
    assert [row["base_fen"] for row in rows] == [495_200, 800_000, 2_476_200]


async def test_lower_limits_give_a_credit_and_take_the_share_back(bureau: Bureau, tmp_path: Path) -> None:
    employer_id, _, (low,) = await a_january(bureau, "3000.00")
    before = await balance(bureau, low.person_id)

    async with with_limits(bureau, tmp_path, "4900", "24000") as later:
        await settle(later)

        (credit,) = await suspense(later)
        assert (credit.reason, credit.employer_id) == (pb.SUSPENSE_REASON_DIFFERENCE, employer_id)
        assert await balance(later, low.person_id) - before == -Money.yuan("52").times(Decimal("0.08")).fen
        assert list((await ask(later, "ListDemands")).demands) == []
        assert await checked(later) == []

    async with with_limits(bureau, tmp_path, "5100", "25500") as latest:  # once more, from where it is
        await settle(latest)
        (demand,) = (await ask(latest, "ListDemands")).demands
        (line,) = (await ask(latest, "ListDifferenceLines", difference_id=demand.difference_id)).lines
        assert (line.base_before.fen, line.base.fen) == (490_000, 510_000)
        assert await checked(latest) == []


async def test_a_difference_of_an_unpaid_bill_waits_for_it(bureau: Bureau, tmp_path: Path) -> None:
    employer_id, bill, (low,) = await a_january(bureau, "3000.00", paid=False)

    async with with_limits(bureau, tmp_path, "5100", "25500") as later:
        await settle(later)
        (demand,) = (await ask(later, "ListDemands", employer_id=employer_id)).demands
        code = await code_of(later, employer_id)
        for number, document, fen in ((1, demand.demand_id, demand.total.fen), (2, bill.bill_id, bill.total.fen)):
            waiting = await later.rows("SELECT 1 FROM difference WHERE state = 'WAITING'")
            assert len(waiting) == 1
            assert await checked(later) == []
            rows = [a_row(f"DIF-{number}", code, document, Money(fen), LATER)]
            await send(later, a_receipts_file(rows, day=LATER), today=LATER)

        share = Money.yuan("5100").times(Decimal("0.08")).fen
        assert await balance(later, low.person_id) == share
        assert await ledger(later, "demands:received") == 0
        assert await checked(later) == []


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=[Phase.generate]
)
@given(
    wages=st.lists(st.integers(1_000, 4_000_000), min_size=1, max_size=4),
    floors=st.lists(st.integers(450_000, 550_000), min_size=1, max_size=2),
    ceiling=st.integers(2_200_000, 2_700_000),
    injury=st.sampled_from([(1, "1.50"), (2, "0.80"), (6, "1.00"), (8, "1.20")]),
)
async def test_the_set_form_is_the_law_person_by_person(
    bureau: Bureau, wages: list[int], floors: list[int], ceiling: int, injury: tuple[int, str]
) -> None:
    """All lines of a person are what the month costs by the last limits, less what it cost by the first ones."""
    injury_class, step = injury
    employer_id = await bureau.employer(injury_class=injury_class, injury_step={"decimal": step})
    for wage in wages:
        fields = {"start_month": month(JANUARY), "wage": money(str(Money(wage)))}
        await bureau.enrolled(employer_id, today=THEN, **fields)
    bill = (await bureau.call("AssessBill", an_assessment(employer_id, JANUARY), today=THEN)).bill
    before = Terms(JANUARY, POLICY.contributions, EmployerTerms(injury_class, Decimal(step)))

    after = before
    for floor in floors:
        limits = BaseLimits(Money(floor), Money(ceiling))
        after = with_other_limits(before, limits)
        await make(bureau, ids.parse("bil", bill.bill_id), after)

    columns = ", ".join(f"coalesce(sum(one.{name}_fen), 0)::bigint AS {name}_fen" for name in differences.RATED)
    rows = await bureau.rows(
        f"""
        SELECT bill_line.wage_fen, {columns} FROM bill_line
        LEFT JOIN difference USING (bill_id)
        LEFT JOIN difference_line AS one USING (difference_id, person_id)
        WHERE bill_id = $1 GROUP BY bill_id, person_id
        """,
        ids.parse("bil", bill.bill_id),
    )
    assert len(rows) == len(wages)
    for row in rows:
        person = Money(row["wage_fen"])
        lines = zip(billing.explain(person, before).lines, billing.explain(person, after).lines, strict=True)
        changes = [two.amount.fen - one.amount.fen for one, two in lines]
        assert [row[f"{name}_fen"] for name in billing.CHARGES] == changes
        assert row["account_fen"] == (billing.account_share(person, after) - billing.account_share(person, before)).fen
    await bureau.rows("DELETE FROM difference_line")  # made here without their demands
    await bureau.rows("DELETE FROM difference")


def with_other_limits(terms: Terms, limits: BaseLimits) -> Terms:
    """The same terms by other limits."""
    return replace(terms, law=replace(terms.law, limits=terms.law.limits.map(lambda _: limits)))


async def make(bureau: Bureau, bill_id: UUID, terms: Terms) -> None:
    """Make the difference of one bill, as a chunk of the job does."""
    rates = contribution_rates(JANUARY, billing.EMPLOYEE_SCHEMES, terms.law, terms.employer)
    share = terms.law.account_credit.on(JANUARY.first_day).value

    async def work(tx: Transaction) -> None:
        await differences.make(tx, [(bill_id, ids.new_id(), terms)], [rates], [share], policy_version="test")

    await transaction.run(bureau.database, work, principal=Principal.system("test"), today=LATER)


@pytest.mark.parametrize("point", ["chunk_taken:2", "chunk_before_done:2"])
async def test_a_settlement_of_limits_that_is_killed_goes_on(
    bureau: Bureau, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr("services.enrollment.operations.collection_differences.CHUNK_PERSONS", 1)
    for _ in range(4):
        await a_january(bureau, "3000.00")

    async with with_limits(bureau, tmp_path, "5100", "25500") as later:
        job = await settle(later, run=False)
        await run_process(later, HRSS_TEST_CRASH=point, HRSS_POLICY_LOCAL=str(tmp_path / "final-5100.yaml"))
        await later.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
        await run_side_by_side(later)

        done = await job_of(later, job.job_id)
        assert (done.state, done.done_count) == (job_pb2.JOB_STATE_DONE, 4)
        demands = (await ask(later, "ListDemands")).demands
        assert len({one.total.fen for one in demands}) == 1
        assert len(demands) == 4
