"""The oracle sees what is wrong: each spoiled row is found, so that its silence means something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy
    from tests.benefits.builders import Benefits, Enrollment

UNGUARD = """
    DROP INDEX payment_once_per_benefit;
    DROP INDEX payment_once_per_person; DROP INDEX benefit_one_running;
    ALTER TABLE determination DROP CONSTRAINT two_persons; ALTER TABLE payroll DROP CONSTRAINT payroll_two_persons;
    ALTER TABLE approval DROP CONSTRAINT approval_two_persons; ALTER TABLE ledger_posting DISABLE TRIGGER USER
"""
SPOILS = {
    "an amount": ("UPDATE payment SET amount_fen = amount_fen + 1 WHERE month = '2025-08-01'", "recomputed"),
    "a statement": (
        "UPDATE calculation SET statement = jsonb_set(statement, '{lines,0,amount_fen}', '1')",
        "was changed",
    ),
    "an input": ("UPDATE calculation SET inputs = jsonb_set(inputs, '{carried_months}', '9')", "was changed"),
    "a ledger posting": ("UPDATE ledger_posting SET amount_fen = amount_fen + 1 WHERE line = 1", "sum to zero"),
    "a moved balance": (
        "UPDATE ledger_posting SET account = 'paid:unemployment' WHERE account = 'clearing:bank' AND amount_fen > 0",
        "the ledger and the payments differ",
    ),
    "one person": ("UPDATE determination SET checker = maker", "one person"),
    "an approval": ("UPDATE approval SET state = 'APPROVED', executed = NULL", "executed approval"),
    "an approved digest": ("UPDATE payroll SET digest = sha256('other')", "the digest of payroll"),
    "a count": ("UPDATE payroll SET payment_count = payment_count + 1", "does not add up"),
    "a payment left out": ("UPDATE benefit SET next_month = '2026-01-01'", "was left out"),
    "a month twice": (
        """
        INSERT INTO payment SELECT gen_random_uuid(), payroll_id, benefit_id, person_id, kind, month, amount_fen,
          digest, payee_id, state FROM payment LIMIT 1
        """,
        "paid twice",
    ),
    "a payment after the end": (
        "UPDATE benefit SET state = 'ENDED', end_reason = 'DIED', last_month = '2025-08-01'",
        "after the end",
    ),
    "a death that was not heeded": (
        "UPDATE participation SET end_reason = 'DIED'",
        "past the month of a death",
    ),
    "an overpayment of what came back": (
        """
        INSERT INTO overpayment SELECT payment_id, benefit_id, person_id, month, amount_fen, 'DIED', '2025-10-01',
          '2025-10-01' FROM payment WHERE state = 'CONFIRMED'
        """,
        "settled although it did not",
    ),
    "a second benefit": (
        """
        INSERT INTO benefit SELECT gen_random_uuid(), gen_random_uuid(), person_id, kind, state, monthly_fen,
          first_month, last_month, first_month, event_month, end_reason, provisional, division, digest, payee_id
        FROM benefit
        """,
        "two running benefits",
    ),
    "an answer before the release": (
        "UPDATE payroll SET state = 'PREPARED', checker = NULL, approve_date = NULL",
        "was not approved",
    ),
}


@pytest.mark.parametrize("what", SPOILS)
async def test_the_oracle_finds(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits, what: str
) -> None:
    await benefits.approve(await benefits.prepare_unemployment(await enrollment.unemployed()))
    await benefits.approve_payroll(await benefits.payroll("2025-09"))
    (first, *_) = await owner_fetch(database, "SELECT payment_id FROM payment ORDER BY month")
    await benefits.answer(first["payment_id"])
    assert await violations(database.settings.database_owner_url, policy) == []

    for statement in UNGUARD.split(";"):
        await owner_fetch(database, statement)
    if what == "a second benefit":
        await owner_fetch(database, "ALTER TABLE benefit DROP CONSTRAINT benefit_determination_id_fkey")
    spoil, sign = SPOILS[what]
    await owner_fetch(database, spoil)

    assert any(sign in one for one in await violations(database.settings.database_owner_url, policy))
