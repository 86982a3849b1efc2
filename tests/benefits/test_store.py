"""What the database itself refuses: the second wall behind the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

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
    "UPDATE calculation SET digest = ''",
    "UPDATE payroll SET payroll_id = gen_random_uuid()",
    "DELETE FROM calculation",
    "DELETE FROM payee",
    "DELETE FROM adjustment",
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
AGAIN = "to_jsonb(one) || jsonb_build_object('payment_id', gen_random_uuid(), 'month', '2030-01-01', '{}', {})"
NAMES_NOTHING = [
    *(
        f"INSERT INTO payment SELECT (jsonb_populate_record(NULL::payment, {AGAIN.format(column, wrong)})).*"
        " FROM payment AS one LIMIT 1"
        for column, wrong in (
            ("payroll_id", "gen_random_uuid()"),
            ("benefit_id", "gen_random_uuid()"),
            ("payee_id", "gen_random_uuid()"),
            ("digest", "sha256('')"),
        )
    ),
    """
    INSERT INTO benefit_amount SELECT benefit_id, more, from_month, 1, CASE more WHEN 2 THEN digest ELSE sha256('') END,
    cause, cause_id, business_date FROM benefit_amount, generate_series(2, 3) AS more
    """,
    """
    INSERT INTO calculation (digest, kind, policy_version, inputs, total_fen, provisional, terms_id)
    VALUES (sha256(''), 'EMPLOYEE_PENSION', '', '{}', 1, false, gen_random_uuid())
    """,
    "UPDATE benefit SET digest = sha256('')",
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
    for statement in NAMES_NOTHING:  # the whole statement, where one of its rows does
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await owner_fetch(database, statement)


async def test_a_payroll_rewrites_no_index_of_benefits(database: Database) -> None:
    """`next_month` of every benefit moves with a payroll: in no index, so that the row stays on its page (HOT)."""
    rows = await owner_fetch(
        database, "SELECT indexname FROM pg_indexes WHERE tablename = 'benefit' AND indexdef LIKE '%next_month%'"
    )

    assert rows == []
