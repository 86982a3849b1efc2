"""The audit is chained, signed and kept outside: whoever owns the database and changes a row is found by its number."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis import audit_chain, audit_file, audit_keys, audit_verify
from chassis import bus as chassis_bus
from chassis.audit_sealer import AuditSealer, ChainBroken, status
from tests.chassis.demo import MIGRATIONS, run
from tests.chassis.test_crash import die
from tests.plugins.databases import Nats, NewDatabase, owner_execute, owner_fetch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chassis.audit_chain import Checkpoint
    from chassis.audit_keys import AuditKey
    from chassis.audit_verify import Report
    from chassis.database import Database
    from chassis.transaction import Transaction

    Connection = asyncpg.Connection[asyncpg.Record]


async def note(database: Database, count: int = 1) -> None:
    """Write audit rows in one transaction."""

    async def work(tx: Transaction) -> None:
        for number in range(count):
            tx.audit("noted", detail={"number": str(number), "text": "张"})

    await run(database, work)


def sealer(database: Database, *, every: float = 1e9, batch: int = 1000, gap: float = 1e9) -> AuditSealer:
    """A sealer that signs only when it is told to."""
    return AuditSealer(database, every_seconds=every, batch_rows=batch, gap_seconds=gap)


async def sign(database: Database) -> None:
    """Chain and sign everything, and write it to the file."""
    one = sealer(database)
    while await one.seal(is_last=True):
        pass
    await one.hand_out()


def path_of(database: Database) -> Path:
    return audit_file.path_of(database.settings.audit_files, database.settings.service)


def outside(database: Database) -> list[Checkpoint]:
    return audit_file.read_all(path_of(database))


async def verified(database: Database, connection: Connection, kept: Sequence[Checkpoint] | None) -> Report:
    keys = audit_keys.verifier(database.settings.keys_dir, database.settings.service)
    return await audit_verify.verify(connection, database.settings.service, keys, kept)


async def verify(database: Database, kept: Sequence[Checkpoint] | None = None) -> Report:
    connection = await asyncpg.connect(database.settings.database_url)
    try:
        return await verified(database, connection, kept)
    finally:
        await connection.close()


async def numbers(database: Database) -> list[int]:
    return [row["number"] for row in await owner_fetch(database, "SELECT number FROM audit_seal ORDER BY number")]


async def test_rows_are_numbered_without_a_gap_signed_and_kept_outside(database: Database) -> None:
    await note(database, 5)
    await sign(database)
    await note(database, 3)
    await sign(database)
    await note(database)
    await sealer(database).seal()
    await note(database)

    report = await verify(database, outside(database))

    assert report.fault is None
    assert (report.rows, report.checkpoints, report.unsigned, report.unsealed) == (9, 2, 1, 1)
    assert report.outside == 2
    assert await numbers(database) == list(range(1, 10))
    shown = await status(database)
    assert (shown.unsealed, shown.unsigned) == (1, 1)
    assert path_of(database).stat().st_mode & 0o777 == 0o600
    assert "张" not in path_of(database).read_text()


# -- threat 13: whoever owns the database changes the audit


async def rewrite(connection: Connection, first: int, key: AuditKey | None) -> None:
    """Compute the chain anew from a row on, as somebody who knows how; with a key also the checkpoints."""
    text = f"SELECT number, {audit_chain.TEXT} AS text FROM audit_seal JOIN audit ON seq = audit_seq ORDER BY number"
    rows = await connection.fetch(text)
    hashes = audit_chain.links(audit_chain.genesis("demo"), 1, [row["text"] for row in rows], 1)
    for row, one in zip(rows, hashes, strict=True):
        if row["number"] >= first:
            await connection.execute("UPDATE audit_seal SET hash = $2 WHERE number = $1", row["number"], one)
    if key is None:
        return
    previous = b""
    for row in await connection.fetch("SELECT * FROM audit_checkpoint ORDER BY number"):
        old = audit_chain.read(row["body"], row["signature"])
        content = json.loads(row["body"])
        marks = audit_chain.marks_of(hashes[old.first - 1 : old.last])
        content |= {"head": hashes[old.last - 1].hex(), "previous": previous.hex()}
        content["marks"] = hashlib.sha256(marks).hexdigest()
        body = json.dumps(content, separators=(",", ":"), sort_keys=True)
        previous = hashlib.sha256(body.encode()).digest()
        change = "UPDATE audit_checkpoint SET body = $2, signature = $3 WHERE number = $1"
        await connection.execute(change, old.number, body, key.sign(body))


CUT = "DELETE FROM audit WHERE seq >= 8; DELETE FROM audit_seal WHERE number >= 8;"
EDIT = "UPDATE audit SET subject = 'idp|other' WHERE seq = 4;"
COPY = """
    INSERT INTO audit (seq, at, subject, client, acting_person, method, action, purpose, case_no, request_id, detail,
                       trace_id) OVERRIDING SYSTEM VALUE
    SELECT {seq}, at, subject, client, acting_person, method, action, purpose, case_no, request_id, detail, trace_id
    FROM audit WHERE seq = 2;
"""
SWAP = """
    UPDATE audit AS mine SET detail = other.detail FROM audit AS other
    WHERE (mine.seq, other.seq) IN ((2, 4), (4, 2));
"""
SWAP_SEALS = "UPDATE audit_seal SET audit_seq = 3 - audit_seq + 4 - 1000 WHERE number IN (3, 4); UPDATE audit_seal SET audit_seq = audit_seq + 1000 WHERE number IN (3, 4);"  # noqa: E501 - one statement cannot swap unique values
# What is done, and what is found first without and with the file: kind, row, checkpoint.
SPOILED: dict[str, tuple[str, tuple[str, int], tuple[str, int]]] = {
    "edit a row": ("UPDATE audit SET action = 'nothing' WHERE seq = 3", ("row_changed", 3), ("row_changed", 3)),
    "edit its detail": ("UPDATE audit SET detail = '{}' WHERE seq = 9", ("row_changed", 9), ("row_changed", 9)),
    "move its time": ("UPDATE audit SET at = at + '1 ms' WHERE seq = 1", ("row_changed", 1), ("row_changed", 1)),
    "delete a row": ("DELETE FROM audit WHERE seq = 7", ("row_deleted", 7), ("row_deleted", 7)),
    "insert a row": (COPY.format(seq=0), ("row_inserted", 0), ("row_inserted", 0)),
    "swap two rows": (SWAP, ("row_changed", 2), ("row_changed", 2)),
    "swap two seals": (SWAP_SEALS, ("row_changed", 3), ("row_changed", 3)),
    "delete a seal": ("DELETE FROM audit_seal WHERE number = 4", ("seal_deleted", 4), ("seal_deleted", 4)),
    "delete a row and its seal": (
        "DELETE FROM audit WHERE seq = 4; DELETE FROM audit_seal WHERE number = 4",
        ("seal_deleted", 4),
        ("seal_deleted", 4),
    ),
    "cut the tail": (CUT, ("tail_cut", 8), ("tail_cut", 8)),
    # The database alone cannot know; that is what the file is for.
    "cut the tail and its checkpoint": (CUT + "DELETE FROM audit_checkpoint WHERE last = 9", ("", 0), ("tail_cut", 8)),
    "cut everything": (
        "TRUNCATE audit, audit_seal, audit_checkpoint; UPDATE audit_sealer SET frontier = 0",
        ("", 0),
        ("tail_cut", 1),
    ),
    "delete a checkpoint": (
        "DELETE FROM audit_checkpoint WHERE number = 1",
        ("checkpoint_deleted", 1),
        ("checkpoint_deleted", 1),
    ),
    "change a checkpoint": (
        "UPDATE audit_checkpoint SET body = replace(body, '\"last\":9', '\"last\":8'), last = 8 WHERE number = 2",
        ("checkpoint_changed", 2),
        ("checkpoint_changed", 2),
    ),
}  # fmt: skip


async def test_threat_13_whoever_owns_the_database_changes_the_audit_and_the_row_is_named(database: Database) -> None:
    await note(database, 5)
    await sign(database)
    await note(database, 4)
    await sign(database)
    await note(database)
    await sealer(database).seal()
    kept = outside(database)
    stolen = audit_keys.load(database.settings.keys_dir, "demo")
    forged = audit_keys.AuditKey(Ed25519PrivateKey.generate())
    owner = await asyncpg.connect(database.settings.database_owner_url)

    async def found(spoil: str, first: int = 0, key: AuditKey | None = None) -> tuple[tuple[str, int], ...]:
        """What verification says of it, without the file and with it; nothing of it stays."""
        said = []
        for checkpoints in (None, kept):
            spoiling = owner.transaction(isolation="repeatable_read")
            await spoiling.start()
            await owner.execute(spoil)
            if first:
                await rewrite(owner, first, key)
            fault = (await verified(database, owner, checkpoints)).fault
            await spoiling.rollback()
            said.append((fault.kind, fault.number or fault.checkpoint) if fault else ("", 0))
            assert fault is None or all(fault.text(language) for language in (0, 1))
        return tuple(said)

    try:
        assert {name: await found(case[0]) for name, case in SPOILED.items()} == {
            name: case[1:] for name, case in SPOILED.items()
        }
        # The chain computed anew: the checkpoint shows it, the marks beside it name the row.
        assert await found(EDIT, 4) == (("chain_rewritten", 1), ("chain_rewritten", 4))
        assert await found(EDIT, 4, forged) == (("checkpoint_changed", 1), ("chain_rewritten", 4))
        assert await found(EDIT, 4, stolen) == (("", 0), ("chain_rewritten", 4))
    finally:
        await owner.close()
    assert (await verify(database, kept)).fault is None  # and nothing of it stayed


async def test_threat_13_a_changed_file_is_told_from_a_changed_database(database: Database) -> None:
    await note(database, 2)
    await sign(database)
    await note(database, 2)
    await sign(database)
    first, second = outside(database)
    other = audit_chain.read(second.body.replace('"last":4', '"last":3'), second.signature, second.marks)

    for kept in ([first, other], [second, first], [first, first]):
        fault = (await verify(database, kept)).fault
        assert fault is not None
        assert fault.kind == "file_changed"
    marked = audit_chain.read(second.body, second.signature, bytes(8))
    assert (await verify(database, [first, marked])).fault is not None
    assert (await verify(database, [second])).fault is None  # a copy that began later
    assert (await verify(database, [first])).fault is None  # one that is a little older


# -- sealing


async def test_a_row_that_commits_late_is_sealed_when_it_appears_and_a_number_that_nobody_took_is_given_up(
    database: Database,
) -> None:
    slow = await asyncpg.connect(database.settings.database_url)
    lost = await asyncpg.connect(database.settings.database_url)
    await note(database)
    copy = COPY.replace("OVERRIDING SYSTEM VALUE", "").replace("(seq, at", "(at").replace("{seq}, at", "at")
    waiting, given_up = slow.transaction(), lost.transaction()
    await waiting.start()
    await slow.execute(copy.replace("seq = 2", "seq = 1"))
    await given_up.start()
    await lost.execute(copy.replace("seq = 2", "seq = 1"))
    await note(database, 2)
    one = sealer(database, gap=0)
    try:
        assert await one.seal() == 3
        await given_up.rollback()
        assert await one.seal() == 0
        assert len(json.loads((await owner_fetch(database, "SELECT gaps FROM audit_sealer"))[0]["gaps"])) == 1
        await waiting.commit()
        assert await one.seal() == 1
        await one.seal()
        await one.seal()
    finally:
        await slow.close()
        await lost.close()

    assert (await owner_fetch(database, "SELECT gaps FROM audit_sealer"))[0]["gaps"] == "[]"
    order = await owner_fetch(database, "SELECT audit_seq FROM audit_seal ORDER BY number")
    assert [row["audit_seq"] for row in order] == [1, 4, 5, 2]
    await sign(database)
    assert (await verify(database, outside(database))).fault is None
    await owner_execute(database, COPY.replace("{seq}", "3"))  # into the number that was given up
    fault = (await verify(database)).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("row_inserted", 3)


async def test_sealers_of_many_processes_make_one_chain_while_rows_are_written(database: Database) -> None:
    async def write() -> None:
        for _ in range(6):
            await note(database, 7)

    async def work(one: AuditSealer) -> None:
        for _ in range(25):
            await one.seal()
            await asyncio.sleep(0)
        await one.seal(is_last=True)
        await one.hand_out()

    for _ in range(2):
        several = [sealer(database, every=0, batch=10) for _ in range(3)]
        await asyncio.gather(write(), *(work(one) for one in several))
        await sign(database)  # what was written after the last of them had stopped

    assert await numbers(database) == list(range(1, 85))
    report = await verify(database, outside(database))
    assert (report.fault, report.rows, report.unsigned) == (None, 84, 0)
    assert report.checkpoints == len(outside(database)) > 1


async def test_a_checkpoint_comes_with_time_and_with_ten_thousand_rows(database: Database) -> None:
    rows = "INSERT INTO audit (at, subject, client, acting_person, method, action, purpose, case_no, request_id, detail, trace_id) SELECT now(), '', '', '', '', 'many', '', '', '', '{}', '' FROM generate_series(1, $1::int)"  # noqa: E501 - a statement
    one = sealer(database, batch=6000)
    await note(database)
    await one.seal()
    assert len(await owner_fetch(database, "SELECT 1 FROM audit_checkpoint")) == 1  # the first is signed at once
    await note(database)
    await one.seal()
    await owner_fetch(database, rows, 11_000)
    while await one.seal():
        pass
    lasts = await owner_fetch(database, "SELECT last FROM audit_checkpoint ORDER BY number")
    assert [row["last"] for row in lasts] == [1, 10_001]
    assert await sealer(database, every=0).seal() == 0
    assert len(await owner_fetch(database, "SELECT 1 FROM audit_checkpoint")) == 3
    await one.hand_out()
    assert (await verify(database, outside(database))).fault is None


@pytest.mark.parametrize("at", ["audit_sealed", "audit_signed"])
async def test_a_sealer_that_dies_leaves_a_chain_that_the_next_one_ends(database: Database, at: str) -> None:
    await note(database, 3)

    die(database, "audit", at)

    assert len(await numbers(database)) == (0 if at == "audit_sealed" else 3)
    assert not path_of(database).exists()
    await note(database)
    await sign(database)
    report = await verify(database, outside(database))
    assert (report.fault, report.rows, report.unsigned) == (None, 4, 0)


async def test_a_line_that_was_not_written_whole_is_written_again(database: Database) -> None:
    await note(database)
    await sign(database)
    whole = path_of(database).read_bytes()
    path_of(database).write_bytes(whole + whole[: len(whole) // 2])
    assert len(outside(database)) == 1
    await note(database)
    await sign(database)

    assert [one.number for one in outside(database)] == [1, 2]


async def test_nothing_is_sealed_on_top_of_a_chain_that_lost_its_end(database: Database) -> None:
    await note(database, 3)
    await sign(database)
    await owner_execute(database, "DELETE FROM audit_seal WHERE number = 3")
    await note(database)

    with pytest.raises(ChainBroken):
        await sealer(database).seal()


async def test_a_new_key_signs_on_and_the_older_one_still_verifies(
    new_database: NewDatabase, tmp_path: Path, keys_dir: Path
) -> None:
    own = tmp_path / "keys"
    audit_keys.create(own, "demo")
    database = await new_database("demo", migrations=MIGRATIONS, keys_dir=own)
    await note(database)
    await sign(database)
    audit_keys.rotate(own, "demo")
    audit_keys.create(own, "demo")
    await note(database)
    await sign(database)

    assert (await verify(database, outside(database))).fault is None
    assert len({json.loads(one.body)["key"] for one in outside(database)}) == 2
    keys = audit_keys.verifier(keys_dir, "demo")  # of another platform
    connection = await asyncpg.connect(database.settings.database_url)
    fault = (await audit_verify.verify(connection, "demo", keys)).fault
    await connection.close()
    assert fault is not None
    assert fault.kind == "checkpoint_changed"
    (own / "demo.audit.key").chmod(0o644)
    with pytest.raises(PermissionError):
        audit_keys.load(own, "demo")


@pytest.mark.skipif("sm3" not in hashlib.algorithms_available, reason="this libcrypto has no SM3")
async def test_a_site_that_changes_its_profile_goes_on_in_the_same_chain(database: Database) -> None:
    await note(database)
    await sign(database)
    other = database.settings.model_copy(update={"card_crypto_profile": "G"})
    database.settings = other
    await note(database, 2)
    await sign(database)

    assert {row["hash"][0] for row in await owner_fetch(database, "SELECT hash FROM audit_seal")} == {1, 2}
    assert (await verify(database, outside(database))).fault is None


async def test_checkpoints_stand_in_a_stream_that_no_service_can_empty(new_database: NewDatabase, nats: Nats) -> None:
    await chassis_bus.provision(nats.server.admin_url, streams=[], consumers={}, with_audit=True)
    database = await new_database("demo", migrations=MIGRATIONS)
    database.settings = database.settings.model_copy(update={"service": "card"})
    bus = await nats.bus("card")
    one = AuditSealer(database, bus, every_seconds=0)
    for _ in range(2):
        await note(database)
        await one.seal()
        await one.hand_out()

    client = await chassis_bus.connect([nats.server.admin_url], name="test", attempts=1)
    stream = client.jetstream()
    messages = [await stream.get_msg("hrss-audit", number) for number in (1, 2)]
    config = (await stream.stream_info("hrss-audit")).config
    await client.close()
    keys = audit_keys.verifier(database.settings.keys_dir, "card")
    for number, message in enumerate(messages, 1):
        assert message.subject == "hrss.audit.v1.card"
        assert message.data is not None
        assert message.headers is not None
        body = message.data.decode()
        assert json.loads(body)["number"] == number
        assert keys.is_signed(body, bytes.fromhex(message.headers["Hrss-Signature"]))
    assert config.deny_delete
    assert config.deny_purge
