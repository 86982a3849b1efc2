"""The sweep over a city: by set as one by one, killed and resumed; and every rule finds what breaks it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from chassis import crash
from chassis.books import finding
from kernel import ids
from services.benefits.keeping import SuspendReason
from services.benefits.operations import keeping_queries, keeping_sweep
from services.benefits.store.keeping_rules import RULES
from tests.benefits.builders import CLERK, Benefits, Enrollment
from tests.benefits.keeping import Keeping, a_pensioner
from tests.benefits.test_persons import died
from tests.plugins.databases import owner_execute, owner_fetch

if TYPE_CHECKING:
    from chassis.database import Database

LATE = date(2027, 10, 1)
LIMIT_SECONDS = 30.0
PEOPLE = 9


async def a_city(database: Database, kept: Keeping, people: int) -> None:
    """Copies of a pensioner, of whom two in three are late."""
    row = (await owner_fetch(database, "SELECT * FROM benefit WHERE benefit_id = $1", kept.benefit_id))[0]
    connection = await asyncpg.connect(database.settings.database_owner_url)
    try:
        await connection.execute(
            f"""
            CREATE TEMP TABLE twin AS
            SELECT number, gen_random_uuid() AS person_id, gen_random_uuid() AS benefit_id,
                   gen_random_uuid() AS determination_id, gen_random_uuid() AS payee_id,
                   gen_random_uuid() AS approval_id
            FROM generate_series(1, {people}) AS number;
            INSERT INTO person SELECT twin.person_id, birth_date, sex, division, NULL FROM person, twin
              WHERE person.person_id = '{kept.person_id}';
            INSERT INTO participation SELECT gen_random_uuid(), twin.person_id, employer_id, scheme, start_month,
              end_month, end_reason, track, division, ended_after FROM participation, twin
              WHERE participation.person_id = '{kept.person_id}' AND scheme = 'EMPLOYEE_PENSION';
            INSERT INTO contribution_year SELECT twin.person_id, scheme, year, bases_fen, states
              FROM contribution_year, twin WHERE contribution_year.person_id = '{kept.person_id}';
            INSERT INTO payee SELECT twin.payee_id, twin.person_id, name_sealed, account_sealed,
              decode(md5(twin.payee_id::text), 'hex'), account_tail FROM payee, twin
              WHERE payee.payee_id = '{row["payee_id"]}';
            INSERT INTO approval SELECT twin.approval_id, kind, twin.determination_id::text, payload_hash, maker_person,
              checker_person, state, reason, created, expires, decided, executed FROM approval, twin
              WHERE approval.id = (SELECT approval_id FROM determination
                                   WHERE determination_id = '{row["determination_id"]}');
            INSERT INTO determination (determination_id, person_id, kind, state, first_month, last_month, event_month,
                division, digest, payee_id, notes, approval_id, maker, prepare_date, checker, decide_date, share)
              SELECT twin.determination_id, twin.person_id, kind, state, first_month, last_month, event_month, division,
                digest, twin.payee_id, notes, twin.approval_id, maker, prepare_date, checker, decide_date, share
              FROM determination, twin WHERE determination.determination_id = '{row["determination_id"]}';
            INSERT INTO benefit (benefit_id, determination_id, person_id, kind, state, monthly_fen, first_month,
                last_month, next_month, event_month, provisional, division, digest, payee_id, share)
              SELECT twin.benefit_id, twin.determination_id, twin.person_id, kind, state, monthly_fen, first_month,
                last_month, next_month, event_month, provisional, division, digest, twin.payee_id, share
              FROM benefit, twin WHERE benefit.benefit_id = '{kept.benefit_id}';
            INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, business_date)
              SELECT twin.benefit_id, number_, from_month, amount_fen, digest, cause, business_date FROM twin, (
                SELECT number AS number_, from_month, amount_fen, digest, cause, business_date FROM benefit_amount
                WHERE benefit_id = '{kept.benefit_id}') AS one;
            INSERT INTO certification_standing SELECT person_id, '', date '2026-10-01' + number % 300 FROM twin
              WHERE number % 3 = 0;
            INSERT INTO certification SELECT gen_random_uuid(), person_id, '', 'COUNTER', last_date, 'RZ', false, 'x',
              last_date FROM certification_standing;
            """
        )
    finally:
        await connection.close()


async def held(database: Database) -> list[tuple[Any, ...]]:
    """Who is held back from when, and what was written and said of it."""
    rows = await owner_fetch(
        database,
        """
        SELECT benefit_id, suspended_from, next_month, reason, from_month
        FROM benefit JOIN suspension USING (benefit_id) WHERE state = 'SUSPENDED' ORDER BY benefit_id
        """,
    )
    said = await owner_fetch(
        database, "SELECT unnest(keys) AS key FROM outbox WHERE subject LIKE '%BenefitSuspended' ORDER BY key"
    )
    return [*(tuple(row) for row in rows), *(tuple(row) for row in said)]


async def killed(database: Database, at: str) -> None:
    """Let a worker die at a crash point."""
    settings = database.settings.model_copy(update={"test_crash": at})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benefits.keeping_victim",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(settings.model_dump_json().encode()), LIMIT_SECONDS)
    assert process.returncode == crash.EXIT_CODE, errors.decode()


async def test_a_killed_sweep_goes_on_and_holds_everybody_back_once(
    database: Database, benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    await a_city(database, kept, PEOPLE)
    job = await benefits.run(lambda tx: keeping_sweep.start(tx, benefits.policy), CLERK, LATE)

    for at in ("chunk_before_done:1", "before_commit:3"):
        await killed(database, at)
    async with asyncio.timeout(LIMIT_SECONDS):
        while (shown := await benefits.run(lambda tx: keeping_queries.job(tx, job.id))).job.state != "DONE":
            await kept.work()
            await asyncio.sleep(0.05)  # until the lease of the killed worker is over

    late = await owner_fetch(database, "SELECT benefit_id FROM certified WHERE last_date < '2026-10-01'")
    found = await held(database)
    assert len(late) == shown.job.done_count == PEOPLE - PEOPLE // 3 + 1
    assert len(found) == 2 * len(late)  # a row and a fact each
    assert {row[0] for row in found[: len(late)]} == {row["benefit_id"] for row in late}
    assert len({row[0] for row in found[len(late) :]}) == len(late)
    assert await kept.violations() == []


@pytest.mark.slow
async def test_a_hundred_at_once_are_held_as_one_by_one(
    database: Database, benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    await a_city(database, kept, 100)
    await benefits.payroll("2027-10", today=LATE)

    await kept.sweep(LATE, size=100)
    at_once = await held(database)
    assert await kept.violations() == []
    gate = "SELECT benefit_id FROM payroll_finding WHERE gate = 'CERTIFICATION' AND effect = 'BLOCK' ORDER BY 1"
    late = [row["benefit_id"] for row in await owner_fetch(database, gate)]
    assert late == [benefit_id for benefit_id, *_ in at_once[:68]]  # the gate had held the same ones back
    assert await owner_fetch(database, "SELECT FROM payment WHERE benefit_id = ANY ($1)", late) == []
    for benefit_id, *_ in at_once[:68]:
        one = Keeping(benefits, enrollment, (await _person(database, benefit_id)), benefit_id)
        await one.certify(LATE, evidence=f"RZ-{ids.to_text('ben', benefit_id)[-6:]}")
    assert await kept.violations() == []


async def _person(database: Database, benefit_id: Any) -> Any:
    return (await owner_fetch(database, "SELECT person_id FROM benefit WHERE benefit_id = $1", benefit_id))[0][0]


# What an owner of the tables could spoil, and the rule that finds it.
SPOILS = {
    "SUSPENSION_IS_OPEN": "UPDATE suspension SET closed_date = business_date WHERE closed_date IS NULL",
    "NOBODY_IS_PAID_WHILE_SUSPENDED": "UPDATE benefit SET suspended_from = first_month WHERE state = 'SUSPENDED';"
    " UPDATE payment SET state = 'OPEN', answer_date = NULL, bank_reference = '', simulated = false",
    "FORFEITED_IS_NOT_PAID": "UPDATE suspension SET from_month = '2026-08-01', forfeited_through = '2026-08-01'",
    "CERTIFICATION_STANDS": "UPDATE certification_standing SET last_date = last_date - 1",
    "RECOVERY_IS_ITS_ENTRIES": "UPDATE recovery_entry SET amount_fen = amount_fen + 1",
    "RECOVERY_IS_WHAT_WAS_OVERPAID": "UPDATE recovery SET amount_fen = amount_fen - 1",
    "OVERPAID_IS_RECOVERED": "UPDATE overpayment SET recovery_id = NULL",
    "DEDUCTION_IS_ANSWERED": "UPDATE deduction SET state = 'RELEASED'",
    "DEDUCTIONS_WITHIN_WHAT_IS_OWED": "UPDATE deduction SET state = 'HELD', amount_fen = 100000000000;"
    " UPDATE payment SET state = 'OPEN', answer_date = NULL, bank_reference = '', simulated = false",
    "PAYEE_IS_CHOSEN": "UPDATE benefit SET payee_id = (SELECT payee_id FROM payee WHERE payee_id <> benefit.payee_id"
    " LIMIT 1)",
    "KEPT_BY_TWO": "UPDATE approval SET state = 'APPROVED', executed = NULL WHERE subject LIKE 'RESUME%'",
    "LEDGER_RECEIVABLE": "UPDATE ledger_posting SET amount_fen = amount_fen + 1 WHERE account LIKE 'receivable:%'",
    "LEDGER_OVERPAID": "UPDATE ledger_posting SET amount_fen = amount_fen + 1 WHERE account LIKE 'overpaid:%'",
    "LEDGER_RECOVERED": "UPDATE ledger_posting SET amount_fen = amount_fen + 1 WHERE account LIKE 'recovered:%'",
    "LEDGER_WRITTEN_OFF": "UPDATE recovery SET written_off_fen = written_off_fen + 1",
}


async def test_every_rule_finds_what_breaks_it(database: Database, benefits: Benefits, enrollment: Enrollment) -> None:
    kept, dead = await a_pensioner(benefits, enrollment), await a_pensioner(benefits, enrollment)
    await kept.certify(date(2026, 9, 1))
    await kept.paid("2026-10", date(2026, 10, 10))
    await died(enrollment, dead.person_id, date(2026, 9, 9))
    day = date(2026, 10, 12)
    await kept.decide(await kept.suspend(SuspendReason.IMPRISONED, "2026-10", day), today=day)
    await kept.decide(await kept.resume(day, "2026-11"), today=day)
    debt, late = (await kept.recoveries())[0].recovery, (await dead.recoveries())[0].recovery
    await kept.decide(await kept.plan(debt.recovery_id, "100.00", "2026-10", day, deduct=True), today=day)
    await kept.paid("2026-11", date(2026, 11, 10))
    await dead.repay(late.recovery_id, "10.00", "SJ-1")
    day = date(2026, 11, 20)
    await kept.decide(await kept.suspend(SuspendReason.SUSPECTED, "2026-11", day), today=day)
    assert await kept.violations() == []
    assert SPOILS.keys() == {rule.code for rule in RULES}
    await owner_execute(
        database,
        "ALTER TABLE recovery DROP CONSTRAINT recovery_never_more_than_owed; ALTER TABLE ledger_posting DISABLE TRIGGER"
        " USER; DROP INDEX payment_once_per_benefit; DROP INDEX payment_once_per_person",
    )
    rules = {rule.code: finding(rule) for rule in RULES}
    connection = await asyncpg.connect(database.settings.database_owner_url)
    try:
        for name, spoil in SPOILS.items():
            spoilt = connection.transaction()
            await spoilt.start()
            held = await connection.fetchrow(rules[name])
            assert held is not None
            assert not held["count"], name
            await connection.execute(spoil)
            found = await connection.fetchrow(rules[name])
            assert found is not None
            assert found["count"], name
            assert found["first"], name
            await spoilt.rollback()
    finally:
        await connection.close()
