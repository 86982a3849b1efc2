"""The oracle sees what is wrong: each spoiled row is found, so that its silence means something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.databases import owner_fetch
from tests.system.oracle_training import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.training.policy import TrainingPolicy
    from tests.training.builders import Neighbours, Training

UNGUARD = """
    ALTER TABLE subsidy_order DROP CONSTRAINT order_once_per_certificate;
    ALTER TABLE subsidy_order DROP CONSTRAINT order_once_per_occupation_and_level;
    ALTER TABLE subsidy_order DROP CONSTRAINT order_place_in_year;
    ALTER TABLE subsidy_order DROP CONSTRAINT subsidy_order_claim_id_key;
    ALTER TABLE claim DROP CONSTRAINT claim_two_persons; ALTER TABLE ledger_posting DISABLE TRIGGER USER
"""
SPOILS = {
    "an amount": ("UPDATE subsidy_order SET amount_fen = amount_fen + 1", "an order has"),
    "a statement": (
        "UPDATE calculation SET statement = jsonb_set(statement, '{lines,0,amount_fen}', '1')",
        "was changed",
    ),
    "an input": ("UPDATE calculation SET inputs = jsonb_set(inputs, '{insured_months}', '3')", "not eligible"),
    "a posting": ("UPDATE ledger_posting SET amount_fen = amount_fen + 1 WHERE line = 1", "sum to zero"),
    "a moved balance": (
        "UPDATE ledger_posting SET account = 'paid:x' WHERE account = 'clearing:bank'",
        "the ledger and the orders differ",
    ),
    "one person": ("UPDATE claim SET checker = maker", "one person"),
    "an approval": ("UPDATE approval SET state = 'APPROVED', executed = NULL", "executed approval"),
    "another level": ("UPDATE subsidy_order SET level = 4", "something else"),
    "no order": ("DELETE FROM subsidy_order", "without an order"),
    "a certificate twice": (
        """
        INSERT INTO subsidy_order SELECT gen_random_uuid(), claim_id, person_id, certificate_id, occupation, level,
          apply_date, apply_year, 2, amount_fen, digest, payee_id, release_date, state FROM subsidy_order
        """,
        "paid twice",
    ),
}


@pytest.mark.parametrize("what", SPOILS)
async def test_the_oracle_finds(
    database: Database, policy: TrainingPolicy, neighbours: Neighbours, training: Training, what: str
) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    await training.granted(person_id)
    assert await violations(database.settings.database_owner_url, policy) == []

    for statement in UNGUARD.split(";"):
        await owner_fetch(database, statement)
    spoil, sign = SPOILS[what]
    await owner_fetch(database, spoil)

    assert sign in " ".join(await violations(database.settings.database_owner_url, policy))
