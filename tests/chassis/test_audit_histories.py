"""Random histories of an audit: commits, failures, late commits, sealers of any pace; any one spoiled row is found."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.chassis.test_audit_chain import COPY, note, outside, sealer, sign, verified, verify
from tests.plugins.databases import owner_fetch
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from chassis.database import Database

ADD = (
    COPY.replace("OVERRIDING SYSTEM VALUE", "")
    .replace("(seq, at", "(at")
    .replace("{seq}, at", "at")
    .replace("seq = 2", "seq = (SELECT min(seq) FROM audit)")
)
STEPS = ["note", "many", "begin", "commit", "roll back", "seal", "sign", "hand out"]
SPOIL = {
    "edit": "UPDATE audit SET case_no = case_no || 'x' WHERE seq = $1",
    "detail": 'UPDATE audit SET detail = detail || \'{"x": "1"}\' WHERE seq = $1',
    "delete": "DELETE FROM audit WHERE seq = $1",
    "unseal": "DELETE FROM audit_seal WHERE audit_seq = $1",
    "hash": "UPDATE audit_seal SET hash = '\\x01'::bytea || sha256(hash) WHERE audit_seq = $1",
    "move": "UPDATE audit_seal SET audit_seq = -audit_seq WHERE audit_seq = $1",
}


async def play(database: Database, seed: int) -> None:
    """Let a history happen, verify it, spoil one row and find that."""
    random = Random(seed)
    steps = random.choices(STEPS, k=random.randint(0, 25))
    one = sealer(database, batch=random.randint(1, 9), gap=0)
    pending: list[tuple[asyncpg.Connection[asyncpg.Record], asyncpg.transaction.Transaction]] = []
    await note(database)
    for step in steps:
        if step in {"note", "many"}:
            await note(database, 1 if step == "note" else 4)
        elif step == "begin" and len(pending) < 3:
            connection = await asyncpg.connect(database.settings.database_url)
            late = connection.transaction()
            await late.start()
            await connection.execute(ADD)
            pending.append((connection, late))
        elif step in {"commit", "roll back"} and pending:
            connection, late = pending.pop(0)
            await (late.commit() if step == "commit" else late.rollback())
            await connection.close()
        elif step == "seal":
            await one.seal()
        elif step == "sign":
            await one.seal(is_last=True)
        elif step == "hand out":
            await one.hand_out()
    for connection, late in pending:
        await late.commit()
        await connection.close()
    await sign(database)
    report = await verify(database, outside(database))
    rows = await owner_fetch(database, "SELECT seq FROM audit ORDER BY seq")
    assert (report.fault, report.rows, report.unsealed, report.unsigned) == (None, len(rows), 0, 0), seed

    owner = await asyncpg.connect(database.settings.database_owner_url)
    spoiling = owner.transaction(isolation="repeatable_read")
    await spoiling.start()
    seq, spoil = random.choice(rows)["seq"], random.choice(sorted(SPOIL))
    number = await owner.fetchval("SELECT number FROM audit_seal WHERE audit_seq = $1", seq)
    await owner.execute(SPOIL[spoil], seq)
    fault = (await verified(database, owner, outside(database))).fault
    await spoiling.rollback()
    await owner.close()
    assert fault is not None, seed
    assert fault.number == number, (seed, spoil)


@pytest.mark.parametrize("seeds", [range(8), slow(range(8, 48))], ids=["few", "many"])
async def test_threat_13_any_row_of_any_history_is_found_when_it_is_spoiled(database: Database, seeds: range) -> None:
    for seed in seeds:
        await play(database, seed)
