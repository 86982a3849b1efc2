"""The annual adjustment: looked at, approved by another, run once for everybody, explained, reversed, killed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from chassis.worker import Worker
from hrss.benefits.v1 import benefits_events_pb2 as events
from kernel.calendar import Month
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, PolicyParameterMissing, Refused
from kernel.money import Money
from ops.seed import benefits as seed
from services.benefits.adjusting import AmountsSource, RunState, Terms
from services.benefits.adjusting_commands import CreateAdjustment, Discard, Reverse
from services.benefits.commands import Approve
from services.benefits.domain.adjustment import (
    Adjustment,
    AdjustmentFacts,
    Amounts,
    TiltBand,
    YearBand,
    adjust,
    age_for,
    full_years,
)
from services.benefits.lifecycle import Kind
from services.benefits.operations import adjusting, adjusting_annual
from services.benefits.store import adjusting_amounts as recomputed
from services.benefits.store import adjusting_annual as store
from services.benefits.store import decisions
from tests.benefits.builders import CLERK, OTHER_CLERK, SUPERVISOR, Benefits
from tests.plugins.databases import owner_execute, owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from chassis.database import Database
    from chassis.jobs import JobKind
    from chassis.principal import Principal
    from services.benefits.store.adjusting import Run

PEOPLE = 80
DEMO = CreateAdjustment(2026, AmountsSource.DEMO)
JANUARY = Month(2026, 1)


@dataclass
class Office:
    """The steps of the people, each in its own transaction."""

    benefits: Benefits

    async def create(self, command: CreateAdjustment = DEMO, principal: Principal = CLERK) -> Run:
        """A new adjustment."""
        run: Run = await self.benefits.run(lambda tx: adjusting.create(tx, command, self.benefits.policy), principal)
        return run

    async def dry_run(self, run: Run, *, size: int = 30, principal: Principal = CLERK) -> Run:
        """The adjustment, looked at."""
        await self.benefits.run(lambda tx: adjusting.dry_run(tx, run.adjustment_id), principal)
        await self.work(size)
        return await self.show(run)

    async def approve(self, run: Run, principal: Principal = SUPERVISOR, digest: bytes | None = None) -> Run:
        """The adjustment, approved."""
        command = Approve(run.adjustment_id, digest or run.digest or b"")
        approved: Run = await self.benefits.run(lambda tx: adjusting.approve(tx, command), principal)
        return approved

    async def start(self, run: Run, *, size: int = 30) -> Run:
        """The adjustment, run."""
        await self.benefits.run(lambda tx: adjusting.start(tx, run.adjustment_id))
        await self.work(size)
        return await self.show(run)

    async def reverse(self, run: Run, principal: Principal, reason: str = "参数有误") -> Run:
        """A reversal, asked for or confirmed."""
        command = Reverse(run.adjustment_id, run.digest or b"", reason)
        reversed_: Run = await self.benefits.run(lambda tx: adjusting.reverse(tx, command), principal)
        return reversed_

    async def work(self, size: int = 30) -> None:
        """Let every job run to its end."""
        worker = Worker(self.benefits.database, self.kinds(size))
        while await worker.run_one():
            pass

    def kinds(self, size: int = 30) -> list[JobKind]:
        """The jobs."""
        return adjusting_annual.job_kinds(size=size)

    async def show(self, run: Run) -> Run:
        """The adjustment as it stands."""
        shown: Run = await self.benefits.run(lambda tx: adjusting.found(tx, run.adjustment_id))
        return shown


@pytest.fixture
async def city(database: Database, benefits: Benefits) -> Office:
    """Eighty people who draw something, paid for the first three months of 2026."""
    async with database.connection() as connection:
        await seed.write(connection, PEOPLE, 1, policy=benefits.policy, variety=50)
    payroll = await benefits.payroll("2026-03")
    await benefits.approve_payroll(payroll)
    return Office(benefits)


async def rows(database: Database, statement: str, *values: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await owner_fetch(database, statement, *values)]


async def pensioners(database: Database) -> list[dict[str, Any]]:
    return await rows(
        database,
        """
        SELECT benefit_id, person_id, monthly_fen, birth_date, contribution_months AS months, digest
        FROM benefit JOIN person USING (person_id) JOIN calculation USING (digest)
        WHERE benefit.kind = 'EMPLOYEE_PENSION' ORDER BY benefit_id
        """,
    )


async def test_an_adjustment_is_looked_at_approved_run_explained_and_reversed(
    database: Database, benefits: Benefits, city: Office
) -> None:
    before = await pensioners(database)
    law = Terms(2026, benefits.policy.adjustment.demo.on(JANUARY.first_day))
    expected = {
        one["benefit_id"]: adjust(
            AdjustmentFacts(
                Money(one["monthly_fen"]), full_years(one["months"]), age_for(Month.of(one["birth_date"]), 2026)
            ),
            law.law,
        )
        for one in before
    }
    gain = sum(one.new_pension.fen for one in expected.values()) - sum(one["monthly_fen"] for one in before)

    run = await city.create()
    assert run.state is RunState.DRAFT
    looked = await city.dry_run(run, size=7)

    assert looked.impact is not None
    total = looked.impact.total
    assert (total.persons, total.monthly_fen, total.back_fen) == (len(before), gain, 3 * gain)
    assert looked.impact.gaining == len(before)
    for bands in looked.impact.by.values():
        assert sum(one.persons for one in bands.values()) == len(before)
        assert sum(one.back_fen for one in bands.values()) == 3 * gain
    assert await rows(database, "SELECT 1 FROM benefit_amount WHERE cause <> 'DETERMINED'") == []
    assert await pensioners(database) == before
    # Other chunks, the same answer; people and not chunks are drawn.
    again = await city.dry_run(run, size=1000)
    assert (again.digest, again.impact) == (looked.digest, looked.impact)

    with pytest.raises(Forbidden, match="prepared the adjustment"):
        await city.approve(again, CLERK)
    with pytest.raises(Refused) as changed:
        await city.approve(again, digest=b"\0" * 32)
    assert (changed.value.reason, changed.value.metadata["digest"]) == (
        "ADJUSTMENT_CHANGED",
        (again.digest or b"").hex(),
    )
    with pytest.raises(Refused, match="not where this step begins"):
        await city.start(again)
    await city.approve(again)
    done = await city.start(again, size=11)

    assert (done.state, done.result) == (RunState.DONE, done.impact)
    await prove_people(database, benefits, before, expected)
    facts = [fact for fact in await said(database) if fact.cause == 2]
    assert sum(fact.monthly.fen - fact.before.fen for fact in facts) == gain
    assert {fact.header.version for fact in facts} == {1}
    await benefits.payroll("2026-04")
    april = await rows(
        database,
        """
        SELECT amount_fen, monthly_fen FROM payment JOIN benefit USING (benefit_id)
        WHERE month = '2026-04-01' AND item = 'MONTH' AND payment.kind = 'EMPLOYEE_PENSION'
        """,
    )
    assert len(april) == len(before)
    assert all(one["amount_fen"] == one["monthly_fen"] for one in april)

    with pytest.raises(AlreadyExists) as twice:
        await city.create()
    assert twice.value.metadata["adjustment"] == run.text_id

    assert await violations(database.settings.database_owner_url, benefits.policy) == []
    await prove_reversal(database, city, done, before, gain)
    assert await violations(database.settings.database_owner_url, benefits.policy) == []


async def prove_reversal(database: Database, city: Office, done: Run, before: list[dict[str, Any]], gain: int) -> None:
    """Two persons reverse it: amounts as before, open differences withdrawn, what was paid listed."""
    asked = await city.reverse(done, CLERK)
    assert (asked.state, asked.reversal_maker) == (RunState.DONE, CLERK.acting_person)
    with pytest.raises(Forbidden, match="asked for the reversal"):
        await city.reverse(done, CLERK)
    paid = await rows(database, "SELECT count(*) AS paid FROM difference WHERE payment_id IS NOT NULL")
    await city.reverse(done, SUPERVISOR)
    await city.work(13)

    assert (await city.show(done)).state is RunState.REVERSED
    assert await pensioners(database) == before
    open_ = await rows(database, "SELECT 1 FROM difference WHERE payment_id IS NULL AND withdrawn_date IS NULL")
    assert open_ == []
    over = await rows(database, "SELECT sum(amount_fen)::bigint AS fen, count(*) AS n FROM adjustment_overpaid")
    owed = await rows(database, "SELECT sum(amount_fen)::bigint AS fen, count(*) AS n FROM recovery")
    assert [tuple(row) for row in owed] == [tuple(row) for row in over]  # each of them is a recovery
    # April was prepared by the new amount; the differences too, where the payroll pays them already.
    assert over == [{"fen": gain * (4 if paid[0]["paid"] else 1), "n": len(before)}]
    # The year is free again; the same adjustment finds its calculations, and its reversal what was before both.
    second = await city.dry_run(await city.create())
    await city.approve(second)
    second = await city.start(second)
    assert sum(one["monthly_fen"] for one in await pensioners(database)) == gain + sum(
        one["monthly_fen"] for one in before
    )
    for who in (CLERK, SUPERVISOR):
        await city.reverse(second, who)
    await city.work()
    assert await pensioners(database) == before


async def prove_people(
    database: Database, benefits: Benefits, before: list[dict[str, Any]], expected: dict[UUID, Adjustment]
) -> None:
    """Each person: the amount, the statement made again, the difference for three months, the same years."""
    after = {one["benefit_id"]: one for one in await pensioners(database)}
    owed = {one["benefit_id"]: one for one in await rows(database, "SELECT * FROM difference")}
    digests = [one["digest"] for one in after.values()]
    made = await benefits.run(lambda tx: decisions.calculations(tx, digests))
    for old in before:
        benefit_id = old["benefit_id"]
        new, adjusted = after[benefit_id], expected[benefit_id]
        assert new["monthly_fen"] == adjusted.new_pension.fen
        assert made[new["digest"]].statement == adjusted.statement
        assert made[new["digest"]].digest == new["digest"]
        assert new["months"] == old["months"]  # the next adjustment counts the same years
        difference = owed[benefit_id]
        assert difference["amount_fen"] == 3 * (new["monthly_fen"] - old["monthly_fen"])
        assert (difference["first_month"], difference["last_month"]) == (
            JANUARY.first_day,
            Month(2026, 3).first_day,
        )
        assert "演示标准" in made[new["digest"]].statement.line("flat").title_zh
    assert len(owed) == len(before)


async def said(database: Database) -> list[events.BenefitsAdjusted.Fact]:
    found = await rows(
        database, "SELECT payload FROM outbox WHERE subject = 'hrss.benefits.v1.BenefitsAdjusted' ORDER BY seq"
    )
    messages = [events.BenefitsAdjusted.FromString(row["payload"]) for row in found]
    assert all(len(message.facts) <= 500 for message in messages)
    return [fact for message in messages for fact in message.facts]


class Killed(BaseException):
    """As a kill: nothing after it runs."""


def dying(monkeypatch: pytest.MonkeyPatch, at: set[int]) -> list[int]:
    """Let the writing of some chunks die when everything of them is written and nothing committed; counts calls."""
    calls: list[int] = []

    def mortal(write: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def dies(*values: Any, **named: Any) -> None:
            calls.append(len(calls) + 1)
            await write(*values, **named)
            if calls[-1] in at:
                raise Killed

        return dies

    for room, name in ((recomputed, "write"), (store, "write"), (store, "write_back")):
        monkeypatch.setattr(room, name, mortal(getattr(room, name)))
    return calls


async def lease_over(database: Database) -> None:
    """The lease of a dead worker runs out."""
    await owner_execute(
        database, "UPDATE job_chunk SET due = clock_timestamp() - interval '1 second' WHERE state = 'RUNNING'"
    )


@pytest.mark.parametrize("step", ["run", "reverse"])
async def test_a_run_that_is_killed_at_any_chunk_goes_on_and_nobody_is_adjusted_twice(
    database: Database, benefits: Benefits, city: Office, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = await pensioners(database)
    run = await city.dry_run(await city.create())
    await city.approve(run)
    if step == "reverse":
        run = await city.start(run)
        await city.reverse(run, CLERK)
        await city.reverse(run, SUPERVISOR)
    else:
        await benefits.run(lambda tx: adjusting.start(tx, run.adjustment_id))
    calls = dying(monkeypatch, {1, 4, 6})
    for _ in range(4):
        with contextlib.suppress(Killed):
            await city.work(9)
        await lease_over(database)

    done = await city.show(run)
    assert len(calls) == 3 + -(-len(before) // 9)
    amounts = await rows(
        database,
        "SELECT benefit_id, count(*) AS n FROM benefit_amount WHERE cause_id IS NOT NULL GROUP BY 1, cause",
    )
    assert {one["n"] for one in amounts} == {1}
    assert len(amounts) == len(before) * (2 if step == "reverse" else 1)
    if step == "reverse":
        assert done.state is RunState.REVERSED
        assert await pensioners(database) == before
    else:
        assert (done.state, done.result) == (RunState.DONE, done.impact)
        assert done.impact is not None
        owed = await rows(database, "SELECT sum(amount_fen)::bigint AS fen FROM difference")
        assert owed[0]["fen"] == done.impact.total.back_fen


AMOUNTS = Amounts(Money(5000), (YearBand(None, Decimal(1)),), Decimal("0.01"), ())


async def test_what_is_wrong_is_refused_by_name(database: Database, city: Office) -> None:
    with pytest.raises(PolicyParameterMissing) as missing:
        await city.create(CreateAdjustment(2025, AmountsSource.POLICY))
    assert missing.value.metadata["key"] == "annual_adjustment.jiangsu_amounts"
    assert missing.value.metadata["on"] == "2025-01-01"
    notice = CreateAdjustment(2026, AmountsSource.NOTICE, amounts=AMOUNTS, document="苏人社发〔2026〕1号")
    wrong = [
        (replace(notice, document=""), "ADJUSTMENT_DOCUMENT_REQUIRED"),
        (replace(notice, amounts=None), "ADJUSTMENT_DOCUMENT_REQUIRED"),
        (replace(notice, year=2099), "ADJUSTMENT_YEAR_INVALID"),
        (replace(notice, kinds=(Kind.UNEMPLOYMENT,)), "ADJUSTMENT_KIND_INVALID"),
        (replace(notice, amounts=replace(AMOUNTS, percent=Decimal(2))), "ADJUSTMENT_PERCENT_ABSURD"),
        (replace(notice, amounts=replace(AMOUNTS, flat=Money(10**9))), "ADJUSTMENT_AMOUNT_ABSURD"),
        (replace(notice, amounts=Amounts(Money(0), (), Decimal(0), ())), "ADJUSTMENT_EMPTY"),
    ]
    for command, reason in wrong:
        with pytest.raises(InvalidInput) as refused:
            await city.create(command)
        assert refused.value.reason == reason
    with pytest.raises(InvalidInput):
        replace(AMOUNTS, tilt=(TiltBand(70, None, Money(-1)),))

    run = await city.create(notice)
    with pytest.raises(Refused) as early:
        await city.approve(run)
    assert early.value.reason == "ADJUSTMENT_STATE_WRONG"
    looked = await city.dry_run(run, principal=OTHER_CLERK)
    with pytest.raises(Forbidden):
        await city.approve(looked, OTHER_CLERK)
    discarded: Run = await city.benefits.run(lambda tx: adjusting.discard(tx, Discard(run.adjustment_id)))
    assert discarded.state is RunState.DISCARDED
    assert await rows(database, "SELECT 1 FROM approval WHERE state = 'PENDING' AND kind = 'adjustment'") == []
