"""The rules of the books: they hold of what the service makes, and each names what a spoiled row breaks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import asyncpg
import pytest

from chassis import jobs
from kernel import ids
from services.benefits.__main__ import reconcile
from services.benefits.operations import paying_books
from services.benefits.store import books, keeping_rules
from tests.benefits.paying_bureau import Bureau, answer_of
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy

# What an owner of the database does behind the back of the service, and the rule that finds it. The months of the
# city are 2026-01 (answered, one payment returned) and 2026-02 (approved, with a difference).
ONE = "(SELECT benefit_id FROM benefit WHERE kind = 'EMPLOYEE_PENSION' ORDER BY benefit_id LIMIT 1)"
OPEN = "(SELECT payment_id FROM payment WHERE state = 'OPEN' AND item = 'MONTH' ORDER BY payment_id LIMIT 1)"
SPOILED = {
    "BENEFIT_IS_DETERMINED": f"UPDATE determination SET person_id = gen_random_uuid() WHERE determination_id ="
    f" (SELECT determination_id FROM benefit WHERE benefit_id = {ONE})",
    "DETERMINATION_IS_A_BENEFIT": "INSERT INTO determination SELECT gen_random_uuid(), person_id, kind, state,"
    " first_month, last_month, event_month, division, digest, payee_id, notes, approval_id, maker, prepare_date,"
    " checker, decide_date, rejection_reason, 'other' FROM determination LIMIT 1",
    "BENEFIT_HAS_ITS_NEWEST_AMOUNT": f"UPDATE benefit SET monthly_fen = monthly_fen + 1 WHERE benefit_id = {ONE}",
    "TWO_PERSONS_DECIDED": "UPDATE approval SET checker_person = 'somebody else' WHERE kind = 'payroll'",
    "ONE_RUNNING_BENEFIT": "DROP INDEX benefit_one_running; DROP INDEX benefit_one_pension;"
    " ALTER TABLE benefit DROP CONSTRAINT"
    " benefit_determination_id_key; INSERT INTO benefit SELECT (jsonb_populate_record(one,"
    " jsonb_build_object('benefit_id', gen_random_uuid(), 'determination_id', (SELECT determination_id FROM benefit"
    " ORDER BY 1 LIMIT 1)))).* FROM benefit AS one LIMIT 1",
    "PAYMENT_IS_OF_ITS_BENEFIT": f"UPDATE payment SET person_id = gen_random_uuid() WHERE payment_id = {OPEN}",
    "PARTICIPATION_STANDS_BEHIND": f"DELETE FROM participation WHERE person_id ="
    f" (SELECT person_id FROM benefit WHERE benefit_id = {ONE})",
    "PAYEE_WAS_ALIVE": f"UPDATE person SET died_month = '2026-01-01' WHERE person_id ="
    f" (SELECT person_id FROM payment WHERE payment_id = {OPEN})",
    "PAYMENT_IS_INSIDE_ITS_BENEFIT": f"UPDATE benefit SET last_month = '2026-01-01' WHERE benefit_id ="
    f" (SELECT benefit_id FROM payment WHERE payment_id = {OPEN})",
    "OVERPAYMENT_CAME_BACK_OR_NOT": f"INSERT INTO overpayment SELECT payment_id, benefit_id, person_id, month,"
    f" amount_fen, 'DIED', '2026-03-01', '2026-03-01' FROM payment WHERE payment_id = {OPEN}",
    "MONTH_IS_PAID_ONCE": f"DROP INDEX payment_once_per_benefit; DROP INDEX payment_once_per_person; INSERT INTO"
    f" payment SELECT (jsonb_populate_record(one, jsonb_build_object('payment_id', gen_random_uuid()))).*"
    f" FROM payment AS one WHERE payment_id = {OPEN}",
    "NEXT_MONTH_FOLLOWS": f"UPDATE benefit SET next_month = first_month WHERE benefit_id = {ONE}",
    "NO_MONTH_IS_LEFT_OUT": f"UPDATE benefit SET first_month = '2025-12-01' WHERE benefit_id = {ONE}",
    "KINDS_EXCLUDE_EACH_OTHER": f"DROP INDEX benefit_one_pension; UPDATE benefit SET kind = 'RESIDENT_PENSION',"
    f" person_id = (SELECT person_id FROM benefit WHERE benefit_id = {ONE}) WHERE benefit_id ="
    f" (SELECT benefit_id FROM benefit"
    f" WHERE kind = 'EMPLOYEE_PENSION' ORDER BY benefit_id OFFSET 1 LIMIT 1)",
    "AMOUNT_IS_THE_BENEFITS": f"UPDATE benefit_amount SET from_month = '2026-06-01' WHERE benefit_id = {ONE}",
    "DIFFERENCE_IS_PAID_ONCE": "UPDATE difference SET payment_id = NULL",
    "RETURNED_IS_KEPT": "DELETE FROM returned_payment",
    "HELD_BACK_IS_NOT_PAID": "UPDATE payroll_finding SET effect = 'BLOCK'",
    "PAYROLL_IS_ITS_PAYMENTS": "UPDATE payroll SET total_fen = total_fen + 1",
    "PAYROLL_IS_ITS_CHUNKS": "UPDATE payroll_chunk SET finding_count = finding_count + 1",
    "ANSWERED_WAS_RELEASED": "UPDATE payroll SET state = 'PREPARED', checker = NULL, approve_date = NULL",
    "WITHDRAWN_WAS_NOT_OWED_YET": f"UPDATE payment SET state = 'WITHDRAWN' WHERE payment_id = {OPEN}",
    "PAID_IS_WHAT_IS_OWED": f"UPDATE benefit_amount SET amount_fen = amount_fen + 1 WHERE benefit_id = {ONE}",
    "LEDGER_IS_PAYMENTS": "INSERT INTO ledger_entry (kind, key, business_date) VALUES ('payroll', 'x', '2026-01-01');"
    " INSERT INTO ledger_posting SELECT id, line, account, fen FROM ledger_entry, (VALUES (1, 'fund:pension', -1),"
    " (2, 'clearing:bank', 1)) AS one (line, account, fen) WHERE key = 'x'",
    "ENTRY_IS_BALANCED": "INSERT INTO ledger_entry (kind, key, business_date) VALUES ('odd', 'odd', '2026-01-01')",
}


@pytest.fixture
async def bureau(database: Database, policy: BenefitsPolicy) -> Bureau:
    made = Bureau(database, policy, size=100)
    await made.city(30)
    return made


async def test_every_rule_holds_and_names_what_breaks_it(bureau: Bureau) -> None:
    january = await bureau.released("2026-01")
    text = await bureau.file(january)
    await bureau.upload(january, answer_of(january, text, [text.splitlines()[2].split(",")[0]]))
    url = bureau.database.settings.database_owner_url
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            f"INSERT INTO difference SELECT gen_random_uuid(), benefit_id, person_id, 'ADJUSTED', gen_random_uuid(),"
            f" '2026-01-01', '2026-01-01', monthly_fen, digest, '2026-02-01' FROM benefit WHERE benefit_id = {ONE}"
        )
        await bureau.claim_back()  # what the test made up
        await bureau.released("2026-02")
        assert await violations(url, bureau.policy) == []
        assert set(SPOILED) == set(books.BY_CODE) - {rule.code for rule in keeping_rules.RULES}  # they have their own
        # Sums by kind are kept with each chunk, and are what its payments say.
        spoiled = [*SPOILED.items(), ("PAYROLL_IS_ITS_CHUNKS", "UPDATE payroll_chunk SET kinds = '{}'")]
        for code, statement in spoiled:
            change = connection.transaction()
            await change.start()
            await connection.execute(statement)
            found = await connection.fetchrow(books.finding(books.BY_CODE[code]))
            await change.rollback()
            assert found is not None
            assert found["count"] > 0, code
            assert found["first"], code
    finally:
        await connection.close()

    # The same as a job, which names the first in its reject list.
    await _spoil(url, SPOILED["PAYROLL_IS_ITS_PAYMENTS"])
    started = await bureau.as_clerk(paying_books.check_books)
    await bureau.work_off()
    job = await bureau.run(lambda tx: jobs.get(tx, started.id))
    rejects = await bureau.run(lambda tx: jobs.rejects(tx, started.id))
    by_payroll = sum(rule.span == "payroll" for rule in books.RULES)
    assert (job.state, job.done_count, job.rejected_count) == ("DONE", len(books.RULES) + by_payroll - 2, 2)
    assert job.total_count == len(books.RULES) + by_payroll
    assert {one.code for _, one in rejects} == {"PAYROLL_IS_ITS_PAYMENTS"}
    named = sorted(ids.to_text("prl", row) for row in await _payrolls(url))
    assert [one.text_en.rpartition(" ")[2] for _, one in rejects] == named  # each in its part


async def _spoil(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _payrolls(url: str) -> list[UUID]:
    connection = await asyncpg.connect(url)
    try:
        return [row["payroll_id"] for row in await connection.fetch("SELECT payroll_id FROM payroll")]
    finally:
        await connection.close()


async def test_hrss_reconcile_proves_benefits(bureau: Bureau, capsys: pytest.CaptureFixture[str]) -> None:
    settings = bureau.database.settings
    held = await asyncio.to_thread(reconcile, settings)
    await _spoil(settings.database_owner_url, f"UPDATE benefit SET next_month = '2026-05-01' WHERE benefit_id = {ONE}")
    broken = await asyncio.to_thread(reconcile, settings)

    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    assert (held, first) == (0, {"rules": len(books.RULES), "broken": []})
    assert broken == 1
    assert {one["code"] for one in second["broken"]} == {"NO_MONTH_IS_LEFT_OUT", "PAID_IS_WHAT_IS_OWED"}
