"""Verification of an audit: computes every hash anew and compares it with what was chained, signed and kept outside.

It believes rows of the database nothing that a signature does not say, and prefers the checkpoints of the file to those
of the database: whoever owns the database can write both chain and checkpoints anew, but signs nothing and does not
reach the file. What it names is the first row that is not as it was sealed.

What a chain cannot show: a row that was changed before it was sealed (a second) or, by somebody who also chains, before
it was signed (a minute); and, where no file is compared, a tail that was cut off together with its checkpoints.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chassis import audit_chain
from chassis.audit_chain import MARK_BYTES, Checkpoint, CheckpointWrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from chassis.audit_keys import AuditVerifier

BATCH_ROWS = 5000

ROWS = f"""
    SELECT seal.number, seal.audit_seq, seal.hash,
           CASE WHEN audit.seq IS NULL THEN NULL ELSE {audit_chain.TEXT} END AS text
    FROM (SELECT * FROM audit_seal WHERE number > $1 ORDER BY number LIMIT $2) AS seal
    LEFT JOIN audit ON audit.seq = seal.audit_seq ORDER BY seal.number
"""  # noqa: S608 - constant text
CHECKPOINTS = "SELECT number, last, body, signature FROM audit_checkpoint ORDER BY number"
# Where the sealer stands tells which rows may still wait for it. A row that is let through by a changed frontier is
# sealed at the end, as the new row that it is.
UNSEALED = """
    SELECT audit.seq, audit.seq <= frontier AND NOT EXISTS (
        SELECT FROM jsonb_array_elements(gaps) AS gap WHERE audit.seq BETWEEN (gap->>0)::bigint AND (gap->>1)::bigint
    ) AS is_foreign
    FROM audit CROSS JOIN audit_sealer
    WHERE NOT EXISTS (SELECT FROM audit_seal WHERE audit_seq = audit.seq) ORDER BY seq
"""

# What may be wrong, in both languages; number: of the row in the chain, seq: its own, checkpoint: of the signature.
WORDS = {
    "row_changed": ("第 {number} 条记录（seq {seq}）已被改动或调换", "row {number} (seq {seq}) was changed or swapped"),
    "row_deleted": ("第 {number} 条记录（seq {seq}）已被删除", "row {number} (seq {seq}) was deleted"),
    "seal_deleted": ("第 {number} 条记录的封存已被删除", "the seal of row {number} was deleted"),
    "row_inserted": ("记录 seq {seq} 系事后插入，没有封存", "row seq {seq} was inserted afterwards: it has no seal"),
    "chain_rewritten": (
        "自第 {number} 条记录（seq {seq}）起封存链被重算，与检查点 {checkpoint} 不符",
        "from row {number} (seq {seq}) on the chain was computed anew: it differs from checkpoint {checkpoint}",
    ),
    "tail_cut": (
        "第 {number} 条及以后的记录已被截去，检查点 {checkpoint} 曾签署",
        "row {number} and those after it were cut off; checkpoint {checkpoint} signed them",
    ),
    "checkpoint_changed": ("检查点 {checkpoint} 已被改动", "checkpoint {checkpoint} in the database was changed"),
    "checkpoint_deleted": ("检查点 {checkpoint} 已被删除", "checkpoint {checkpoint} in the database was deleted"),
    "file_changed": (
        "外部文件的检查点 {checkpoint} 签名不符",
        "checkpoint {checkpoint} of the file was not signed by us",
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is not as it was.

    Args:
        kind: A key of `WORDS`.
        number: Number of the row in the chain; 0 where it has none.
        seq: Its number in the table; 0 where it is not known.
        checkpoint: The checkpoint that shows it; 0 where none does.
    """

    kind: str
    number: int = 0
    seq: int = 0
    checkpoint: int = 0

    def text(self, language: int) -> str:
        """What it is: 0 in Chinese, 1 in English."""
        return WORDS[self.kind][language].format(number=self.number, seq=self.seq, checkpoint=self.checkpoint)


@dataclass(slots=True)
class Report:
    """What was found in one service.

    Args:
        service: Which.
        rows: Rows of the chain that were computed anew.
        checkpoints: Signed heads that were verified.
        unsealed: Rows that wait to be chained.
        unsigned: Chained rows that no checkpoint signs yet.
        outside: Checkpoints of the file that was compared; None where there was none.
        fault: What is wrong first; None where nothing is.
    """

    service: str
    rows: int = 0
    checkpoints: int = 0
    unsealed: int = 0
    unsigned: int = 0
    outside: int | None = None
    fault: Fault | None = None


@dataclass(slots=True)
class _Walk:
    """Where the walk along the chain is."""

    hash: bytes
    number: int = 0
    run: list[tuple[int, bytes]] = field(default_factory=list)  # seq and mark of the rows since the last checkpoint


async def verify(
    connection: asyncpg.Connection[asyncpg.Record],
    service: str,
    keys: AuditVerifier,
    outside: Sequence[Checkpoint] | None = None,
) -> Report:
    """Compute the chain of a service anew and compare it with its checkpoints.

    Args:
        connection: Any role that may read; a snapshot is taken, so that it may run beside the platform.
        service: Whose database it is.
        keys: What its checkpoints are signed with.
        outside: The checkpoints that were kept elsewhere.
    """
    report = Report(service, outside=None if outside is None else len(outside))
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        signed = {row["number"]: row for row in await connection.fetch(CHECKPOINTS)}
        if fault := _outside_fault(service, keys, outside or ()):
            report.fault = fault
            return report
        truth, wrong = _truth(service, keys, signed, outside or ())
        await _walk(connection, report, truth)
        if report.fault is None or (wrong is not None and _is_before(wrong, report.fault, truth)):
            report.fault = wrong or report.fault
        if report.fault is None:
            await _look_for_strangers(connection, report)
    return report


def _outside_fault(service: str, keys: AuditVerifier, outside: Sequence[Checkpoint]) -> Fault | None:
    """The file itself: signed by us, one following the other."""
    before: Checkpoint | None = None
    for one in outside:
        follows = before is None or (
            one.number == before.number + 1 and one.previous == before.digest and one.first == before.last + 1
        )
        marks_fit = hashlib.sha256(one.marks).digest() == one.marks_digest if one.marks else True
        if not (one.service == service and follows and marks_fit and keys.is_signed(one.body, one.signature)):
            return Fault("file_changed", checkpoint=one.number)
        before = one
    return None


def _truth(
    service: str, keys: AuditVerifier, signed: dict[int, asyncpg.Record], outside: Sequence[Checkpoint]
) -> tuple[list[Checkpoint], Fault | None]:
    """The checkpoints to compare with, in order, and the first of the database that is wrong."""
    known = {one.number: one for one in outside}
    truth: list[Checkpoint] = []
    wrong: Fault | None = None
    for number in range(1, max([*signed, *known], default=0) + 1):
        row, kept = signed.get(number), known.get(number)
        found = None if row is None else _of_row(row)
        before = truth[-1] if truth else None
        is_good = found is not None and (
            (found.body, found.signature) == (kept.body, kept.signature)
            if kept is not None
            else found.service == service
            and found.number == number
            and found.previous == (before.digest if before else b"")
            and found.first == (before.last + 1 if before else 1)
            and keys.is_signed(found.body, found.signature)
        )
        if not is_good and wrong is None:
            wrong = Fault("checkpoint_changed" if row is not None else "checkpoint_deleted", checkpoint=number)
        if kept is not None:
            truth.append(kept)
        elif is_good and found is not None:
            truth.append(found)
        else:
            break
    return truth, wrong


def _of_row(row: asyncpg.Record) -> Checkpoint | None:
    try:
        one = audit_chain.read(row["body"], row["signature"])
    except CheckpointWrong:
        return None
    return one if one.last == row["last"] else None


async def _walk(connection: asyncpg.Connection[asyncpg.Record], report: Report, truth: Sequence[Checkpoint]) -> None:
    """Follow the chain from its first row, and stop at the first that is wrong."""
    walk = _Walk(audit_chain.genesis(report.service))
    ends = {one.last: one for one in truth}
    while rows := await connection.fetch(ROWS, walk.number, BATCH_ROWS):
        for row in rows:
            if (fault := _step(walk, row)) is not None:
                # Where the chain was computed anew from an earlier row on, that row is the first.
                report.fault = _rewritten(walk, truth) or fault
                return
            if (end := ends.get(walk.number)) is not None:
                if end.head != walk.hash:
                    report.fault = _differs(walk, end)
                    return
                report.checkpoints += 1
                walk.run.clear()
            report.rows += 1
    covered = truth[-1].last if truth else 0
    report.unsigned = max(0, walk.number - covered)
    if walk.number < covered:
        cut = next(one for one in truth if one.last > walk.number)
        report.fault = _rewritten(walk, truth) or Fault("tail_cut", number=walk.number + 1, checkpoint=cut.number)


def _step(walk: _Walk, row: asyncpg.Record) -> Fault | None:
    """One row further; what is wrong with it."""
    if row["number"] != walk.number + 1:
        return Fault("seal_deleted", number=walk.number + 1)
    if row["text"] is None:
        return Fault("row_deleted", number=row["number"], seq=row["audit_seq"])
    try:
        computed = audit_chain.link(walk.hash, row["number"], row["text"], row["hash"][0])
    except ValueError:
        computed = b""
    if computed != row["hash"]:
        return Fault("row_changed", number=row["number"], seq=row["audit_seq"])
    walk.number, walk.hash = row["number"], computed
    walk.run.append((row["audit_seq"], computed[1 : 1 + MARK_BYTES]))
    return None


def _rewritten(walk: _Walk, truth: Sequence[Checkpoint]) -> Fault | None:
    """Whether the rows since the last checkpoint already differ from the marks of the next one."""
    first = walk.number - len(walk.run) + 1
    end = next((one for one in truth if one.first == first), None)
    return None if end is None or not end.marks else _first_difference(walk, end, first)


def _differs(walk: _Walk, end: Checkpoint) -> Fault:
    """The rows under a checkpoint are not those that it signed: the first one that its marks do not have."""
    first = walk.number - len(walk.run) + 1
    found = _first_difference(walk, end, first) if end.marks else None
    return found or Fault("chain_rewritten", number=first, seq=walk.run[0][0], checkpoint=end.number)


def _first_difference(walk: _Walk, end: Checkpoint, first: int) -> Fault | None:
    for place, (seq, mark) in enumerate(walk.run):
        if mark != end.marks[place * MARK_BYTES : (place + 1) * MARK_BYTES]:
            return Fault("chain_rewritten", number=first + place, seq=seq, checkpoint=end.number)
    return None


def _is_before(wrong: Fault, other: Fault, truth: Sequence[Checkpoint]) -> bool:
    """Whether a wrong checkpoint stands before a wrong row, which else is told."""
    end = next((one.last for one in truth if one.number == wrong.checkpoint), None)
    return end is not None and other.number > end


async def _look_for_strangers(connection: asyncpg.Connection[asyncpg.Record], report: Report) -> None:
    """Rows without a seal: those that wait for it, and those that no sealer will ever come to."""
    async for row in connection.cursor(UNSEALED):
        if row["is_foreign"]:
            report.fault = Fault("row_inserted", seq=row["seq"])
            return
        report.unsealed += 1
