"""A process that leases places of status lists and changes cards as the card service does, and says how many a second.

`python -m ops.bench.card_places` with the settings of the service and `BENCH_PLACES`; a tenth as many cards change.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import clocks, transaction
from chassis.config import Settings, load
from chassis.database import Database
from chassis.principal import Principal
from services.card.domain.lifecycle import Actor, CardEvent
from services.card.keyring import KeyRing
from services.card.operations import life
from services.card.operations.places import BLOCK, Places
from services.card.store import cards

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.transaction import Transaction

COUNT = "BENCH_PLACES"
# Cards of nobody, with a place each: the columns that must hold something, and keys that are their numbers.
_KEY = "lpad(to_hex(one), 32, '0')::uuid"
SEED = (
    f"""
    INSERT INTO holder (person_id, birth_date, name_sealed, id_no_sealed, id_no_index)
    SELECT {_KEY}, $2::date, '', '', substring(sha256(int8send(one)) FOR 16) FROM generate_series(1, $1::bigint) AS one
    """,  # noqa: S608 - constant text
    f"""
    INSERT INTO card (card_id, person_id, issue_no, reference, level, state, state_since, valid_from, valid_to)
    SELECT {_KEY}, {_KEY}, lpad(one::text, 20, '0'), int8send(one), 1, 'ACTIVE', $2::date, $2::date, $2::date + 3650
    FROM generate_series(1, $1::bigint) AS one
    """,  # noqa: S608 - constant text
    f"""
    INSERT INTO binding (binding_id, card_id, role, reference, list_no, idx, state, status, bound_date)
    SELECT {_KEY}, {_KEY}, 'server', int8send(one), 1, one::integer, 'live', 0, $2::date
    FROM generate_series(1, $1::bigint) AS one
    """,  # noqa: S608 - constant text
)
LOCK = f"""
UPDATE card SET state = 'LOCKED' WHERE card_id IN (
  SELECT {_KEY} FROM generate_series($1::bigint, $2::bigint) AS one
)
"""  # noqa: S608 - constant text


async def main() -> None:
    """Lease, and write the ready file with what was measured."""
    settings = load(Settings, service="card")
    database = Database(settings)
    leases = Places(KeyRing.load(settings.keys_dir))
    await leases.lease(database, 1)  # connects, and makes the tables of the permutation
    wanted, found = int(os.environ[COUNT]), 0
    begun = time.perf_counter()
    while found < wanted:
        found += len(await leases.lease(database, BLOCK))
    rate = found / (time.perf_counter() - begun)
    changed = await changes(database, wanted // 10)
    said = json.dumps({"rate": rate, **changed})
    await database.close()
    assert settings.ready_file is not None
    draft = settings.ready_file.with_suffix(".draft")
    draft.write_text(json.dumps({"pid": os.getpid(), "said": said}))
    draft.replace(settings.ready_file)


async def changes(database: Database, count: int) -> dict[str, float]:
    """Status changes a second: five hundred cards to a statement, then one to a transaction with fact and audit."""
    principal, today = Principal.system("card"), clocks.business_day()

    async def run(work: Callable[[Transaction], Awaitable[object]]) -> None:
        await transaction.run(database, work, principal=principal, today=today, method="bench")

    async def seed(tx: Transaction) -> None:
        for statement in SEED:
            await tx.execute(statement, count, today)

    await run(seed)
    begun = time.perf_counter()
    for first in range(0, count, BLOCK):
        await run(partial(_lock, first=first + 1, last=first + BLOCK))
    by_set = count / (time.perf_counter() - begun)
    singles = max(1, count // 20)
    begun = time.perf_counter()
    for number in range(1, singles + 1):
        await run(partial(_end, number=number))
    return {"changed": by_set, "changed_singly": singles / (time.perf_counter() - begun)}


async def _lock(tx: Transaction, *, first: int, last: int) -> None:
    await tx.execute(LOCK, first, last)


async def _end(tx: Transaction, *, number: int) -> None:
    card = await cards.get(tx, UUID(int=number), lock=True)
    assert card is not None
    life.change(tx, card, CardEvent.CANCEL, Actor.HOLDER)


if __name__ == "__main__":
    asyncio.run(main())
