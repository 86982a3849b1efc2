"""What the database itself refuses: the second wall behind the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from services.benefits.store import payrolls
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from chassis.database import Database
    from tests.benefits.builders import Benefits, Enrollment


REWRITES = [
    "UPDATE payment SET amount_fen = 1",
    "UPDATE payment SET month = '2025-01-01'",
    "UPDATE payment SET payee_id = gen_random_uuid()",
    "UPDATE benefit SET person_id = gen_random_uuid()",
    "UPDATE benefit_amount SET amount_fen = 1",
    "UPDATE difference SET amount_fen = 1",
    "UPDATE determination SET digest = ''",
    "UPDATE payee SET account_tail = '0000'",
    "UPDATE calculation SET total_fen = 1",
    "UPDATE account_credit SET amount_fen = 1",
    "UPDATE overpayment SET amount_fen = 1",
    "UPDATE ledger_posting SET amount_fen = 1",
    "UPDATE audit SET action = ''",
    "DELETE FROM payment",
    "DELETE FROM benefit",
    "DELETE FROM determination",
    "DELETE FROM person",
    "DELETE FROM contribution_year",
    "DELETE FROM audit",
    "DELETE FROM ledger_entry",
    "TRUNCATE payroll",
]
IMPOSSIBLE = [
    "UPDATE payment SET amount_fen = -1",
    "UPDATE payment SET amount_fen = 100000000000001",
    "UPDATE payment SET month = '2025-08-02'",
    "UPDATE payment SET state = 'GONE'",
    "UPDATE payment SET state = 'CONFIRMED'",
    "UPDATE payment SET simulated = true",
    "UPDATE benefit SET state = 'ENDED'",
    "UPDATE benefit SET end_reason = 'DIED'",
    "UPDATE benefit SET last_month = NULL",
    "UPDATE determination SET checker = maker",
    "UPDATE determination SET state = 'PREPARED'",
    "UPDATE determination SET last_month = '2025-01-01'",
    "UPDATE payroll SET state = 'PREPARING'",
    "UPDATE payroll SET confirmed_count = 3",
    "UPDATE payroll SET checker = maker, approve_date = '2026-01-01', state = 'APPROVED'",
    "UPDATE contribution_year SET states = 'PPP'",
    "UPDATE contribution_year SET bases_fen = ARRAY[1]",
    "UPDATE contribution_year SET bases_fen[1] = -1",
    "UPDATE contribution_year SET bases_fen[1] = NULL",
    "UPDATE person SET sex = 'X'",
    "UPDATE participation SET end_month = NULL",
    "UPDATE account SET balance_fen = -1",
    "UPDATE account SET settled_month = '2026-07-01'",
    "UPDATE payee SET account_index = 'x'",
]


async def test_the_app_role_rewrites_no_decision(database: Database) -> None:
    connection = await asyncpg.connect(database.settings.database_url)
    try:
        for statement in REWRITES:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_database_refuses_what_cannot_be(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    await enrollment.credited(person_id, 2025, "1.00", "1.00")
    await benefits.approve(await benefits.prepare_unemployment(person_id))
    await benefits.payroll("2025-09")

    for statement in IMPOSSIBLE:  # each fails, so the next one finds the same rows
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner_fetch(database, statement)


async def test_the_benefits_to_pay_are_found_by_their_index(database: Database) -> None:
    condition = payrolls.TO_PAY.replace("$1", "'2026-07-01'")
    connection = await asyncpg.connect(database.settings.database_owner_url)
    try:
        await connection.execute("SET enable_seqscan = off")
        plan = await connection.fetch(f"EXPLAIN SELECT benefit_id FROM benefit WHERE {condition}")
    finally:
        await connection.close()

    assert "benefit_to_pay" in str(plan)
