"""What follows a card: places and family accounts, however many cards change at once, and without reading them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import transaction
from chassis.principal import Principal
from ops.bench.card_places import SEED
from tests.card.builders import TODAY

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.transaction import Transaction

CARDS = 2_000
_OF = "lpad(to_hex($1::integer), 32, '0')::uuid"
_FIRST = "card_id <= lpad(to_hex($1::integer), 32, '0')::uuid"
# Family accounts: 1 for 3 and 2 for 4; the third shows with a device of the first.
_FAMILY = """
    INSERT INTO delegation (delegation_id, ward_id, delegate_id, relation, scopes, state, state_since, basis, reference,
      from_date, to_date)
    SELECT lpad(to_hex(one), 32, '0')::uuid, lpad(to_hex(one), 32, '0')::uuid, lpad(to_hex(one + 2), 32, '0')::uuid,
      'SPOUSE', '{QUERY}', 'ACTIVE', $1::date, 'PIN', int8send(one), $1::date, $1::date + 90
    FROM generate_series(1, 2) AS one
"""
_DEVICE = """
    INSERT INTO binding (binding_id, card_id, role, device_key, cred_exp, reference, list_no, idx, state, status,
      bound_date, delegation_id)
    SELECT gen_random_uuid(), delegation_id, 'delegate', decode(repeat('02', 33), 'hex'), 1,
      int8send(('x' || right(delegation_id::text, 8))::bit(32)::integer + 100000), 2, idx::integer, 'live', 0,
      $1::date, delegation_id
    FROM (SELECT delegation_id, row_number() OVER () AS idx FROM delegation) AS each
"""


async def test_places_follow_many_cards_and_then_one_and_no_table_is_read_through(database: Database) -> None:
    """The same connection first changes 500 cards by a statement, then single ones: each finds its place by the key."""

    async def work(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO status_list (list_no, key_wrapped) VALUES (1, ''), (2, '') ON CONFLICT DO NOTHING"
        )
        for statement in SEED:
            await tx.execute(statement, CARDS, TODAY)
        for statement in (_FAMILY, _DEVICE):
            await tx.execute(statement, TODAY)

        await _changed(tx, f"UPDATE card SET state = 'LOCKED' WHERE {_FIRST}", 500)
        assert await _statuses(tx) == {("LOCKED", 2): 500 + 2, ("ACTIVE", 0): CARDS - 500}
        for number in (3, 2, 1_999):
            await _changed(tx, f"UPDATE card SET state = 'CANCELLED' WHERE card_id = {_OF}", number)
        still = {("CANCELLED", 1): 3 + 1, ("ACTIVE", 0): CARDS - 501}
        assert await _statuses(tx) == still | {("LOCKED", 2): 498, ("LOCKED", 1): 1}
        # A statement may say several things at once; a card that keeps its state changes nothing else.
        again = "UPDATE card SET level = 2, state = CASE WHEN state = 'LOCKED' THEN 'ACTIVE' ELSE state END"
        await _changed(tx, f"{again} WHERE {_FIRST}", 1_000)
        assert await _statuses(tx) == still | {("ACTIVE", 0): CARDS - 3, ("ACTIVE", 1): 1}

        ended = await tx.fetch("SELECT ended_by, state FROM delegation ORDER BY delegation_id")
        assert [tuple(row) for row in ended] == [("DELEGATE_CARD", "ENDED"), ("WARD_CARD", "ENDED")]
        devices = await tx.fetch("SELECT DISTINCT state, status FROM binding WHERE role = 'delegate'")
        assert [tuple(row) for row in devices] == [("withdrawn", 1)]

    await transaction.run(database, work, principal=Principal.system("card"), today=TODAY, method="test")


async def _statuses(tx: Transaction) -> dict[tuple[str, int], int]:
    """How many places there are of each state of a card and status."""
    rows = await tx.fetch(
        "SELECT card.state, status, count(*) AS count FROM card JOIN binding USING (card_id) GROUP BY 1, 2"
    )
    return {(row["state"], row["status"]): row["count"] for row in rows}


async def _changed(tx: Transaction, statement: str, number: int) -> None:
    """Change cards; the places must be found by their index, never by reading the table through."""
    query = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'binding'"
    before = await tx.fetchrow(query)
    await tx.execute(statement, number)
    assert await tx.fetchrow(query) == before
