"""What the oracle computes again beside the rules of the books (`test_paying_books`): each spoiled row is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy
    from tests.benefits.builders import Benefits, Enrollment

SPOILS = {
    "an amount": ("UPDATE payment SET amount_fen = amount_fen + 1 WHERE month = '2025-08-01'", "recomputed"),
    "a statement": (
        "UPDATE calculation SET statement = jsonb_set(statement, '{lines,0,amount_fen}', '1')",
        "was changed",
    ),
    "an input": ("UPDATE calculation SET inputs = jsonb_set(inputs, '{carried_months}', '9')", "was changed"),
    "an approved digest": ("UPDATE payroll SET digest = sha256('other')", "the digest of payroll"),
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

    spoil, sign = SPOILS[what]
    await owner_fetch(database, spoil)

    assert any(sign in one for one in await violations(database.settings.database_owner_url, policy))
