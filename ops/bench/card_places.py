"""A process that leases places of status lists and changes cards as the card service does, and says how many a second.

`python -m ops.bench.card_places` with the settings of the service and `BENCH_PLACES`; a tenth as many cards change.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

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

COUNT, ROUNDS, OWNER_URL = "BENCH_PLACES", "BENCH_ROUNDS", "BENCH_OWNER_URL"
AT_ONCE = 32
STATES = ("LOCKED", "ACTIVE")  # in turns, so that every card changes in every round
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
SET = f"""
UPDATE card SET state = $1 WHERE card_id IN (SELECT {_KEY} FROM generate_series($2::bigint, $3::bigint) AS one)
"""  # noqa: S608 - constant text


async def main() -> None:
    """Lease, change, and write the ready file with what was measured."""
    settings = load(Settings, service="card")
    database = Database(settings)
    leases = Places(KeyRing.load(settings.keys_dir))
    await leases.lease(database, 1)  # connects, and makes the tables of the permutation
    wanted, rounds = int(os.environ[COUNT]), int(os.environ.get(ROUNDS, "1"))
    rates = []
    for _ in range(rounds):
        found, begun = 0, time.perf_counter()
        while found < wanted // rounds:
            found += len(await leases.lease(database, BLOCK))
        rates.append(found / (time.perf_counter() - begun))
    changed = await _Changes(database, wanted // 10, rounds).measured()
    said = json.dumps({"rates": rates, **changed})
    await database.close()
    assert settings.ready_file is not None
    draft = settings.ready_file.with_suffix(".draft")
    draft.write_text(json.dumps({"pid": os.getpid(), "said": said}))
    draft.replace(settings.ready_file)


class _Changes:
    """Status changes a second: five hundred cards to a statement; one to a transaction with fact, notice and audit."""

    def __init__(self, database: Database, count: int, rounds: int) -> None:
        self._database, self._count, self._rounds = database, count, rounds
        self._next = iter(range(1, count + 1))
        self._commits: list[asyncpg.Connection[asyncpg.Record]] = []

    async def measured(self) -> dict[str, Any]:
        """By the set; then in turns bare commits and single changes, one at a time and so many at once."""
        await self._run(self._seed)
        self._commits = [await asyncpg.connect(os.environ[OWNER_URL]) for _ in range(AT_ONCE)]
        await self._commits[0].execute("CREATE SCHEMA IF NOT EXISTS bench")
        await self._commits[0].execute("CREATE TABLE IF NOT EXISTS bench.two (one bigserial PRIMARY KEY, two text)")
        by_set = []
        for turn in range(self._rounds):
            begun = time.perf_counter()
            for first in range(0, self._count, BLOCK):
                await self._run(partial(_set, STATES[turn % 2], first=first + 1, last=first + BLOCK))
            by_set.append(self._count / (time.perf_counter() - begun))
        singles = max(AT_ONCE, self._count // 40 // self._rounds)
        found: dict[int, list[tuple[float, float]]] = {1: [], AT_ONCE: []}
        spent = []
        for hands in (1, AT_ONCE):  # warm: statements prepared, connections there
            await self._singly(hands, hands)
        for _ in range(self._rounds):
            for hands, pairs in found.items():
                bare = await self._bare(singles, hands)
                before = time.process_time()
                pairs.append((await self._singly(singles, hands), bare))
                spent.append((time.process_time() - before) / singles * 1000)
        for connection in self._commits:
            await connection.close()
        return {"by_set": by_set, "singly": found[1], "at_once": found[AT_ONCE], "milliseconds": min(spent)}

    async def _run(self, work: Callable[[Transaction], Awaitable[object]]) -> None:
        principal, today = Principal.system("card"), clocks.business_day()
        await transaction.run(self._database, work, principal=principal, today=today, method="bench")

    async def _seed(self, tx: Transaction) -> None:
        for statement in SEED:
            await tx.execute(statement, self._count, tx.today)

    async def _singly(self, count: int, hands: int) -> float:
        numbers = [next(self._next) for _ in range(count)]

        async def hand() -> None:
            while numbers:
                await self._run(partial(_end, number=numbers.pop()))

        begun = time.perf_counter()
        await asyncio.gather(*(hand() for _ in range(hands)))
        return count / (time.perf_counter() - begun)

    async def _bare(self, count: int, hands: int) -> float:
        """Commits of two rows a second: less cannot be durable."""
        left = iter(range(count))

        async def hand(connection: asyncpg.Connection[asyncpg.Record]) -> None:
            for _ in left:
                async with connection.transaction():
                    await connection.execute("INSERT INTO bench.two (two) VALUES ('one')")
                    await connection.execute("INSERT INTO bench.two (two) VALUES ('two')")

        begun = time.perf_counter()
        await asyncio.gather(*(hand(one) for one in self._commits[:hands]))
        return count / (time.perf_counter() - begun)


async def _set(state: str, tx: Transaction, *, first: int, last: int) -> None:
    await tx.execute(SET, state, first, last)


async def _end(tx: Transaction, *, number: int) -> None:
    card = await cards.get(tx, UUID(int=number), lock=True)
    assert card is not None
    life.change(tx, card, CardEvent.CANCEL, Actor.HOLDER)


if __name__ == "__main__":
    asyncio.run(main())
