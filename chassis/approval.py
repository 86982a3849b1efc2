"""Four eyes: what one person made, another approves, and exactly that is executed.

An approval names its kind and subject and holds the hash of what is to be done. Maker and checker are natural
persons, not logins, and the database refuses one person as both. At execution the hash is compared again: who changes
the content after the approval has none. An approval is executed once.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, NotFound, Refused

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from chassis.transaction import Transaction

DAYS = 30  # a decision of that age is looked at again

COLUMNS = "id, kind, subject, maker_person, checker_person, state, reason, created, expires, decided, executed"
EXPIRE = """
    UPDATE approval SET state = 'EXPIRED'
    WHERE kind = $1 AND subject = $2 AND state IN ('PENDING', 'APPROVED') AND expires <= $3
"""
REQUEST = """
    INSERT INTO approval (id, kind, subject, payload_hash, maker_person, created, expires)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (kind, subject) WHERE state IN ('PENDING', 'APPROVED') DO NOTHING RETURNING true
"""
READ = f"SELECT {COLUMNS} FROM approval WHERE id = $1"  # noqa: S608 - constant
LOCK = f"SELECT {COLUMNS}, payload_hash FROM approval WHERE id = $1 FOR UPDATE"  # noqa: S608 - constant
DECIDE = "UPDATE approval SET state = $2, checker_person = $3, reason = $4, decided = $5 WHERE id = $1"
EXECUTE = "UPDATE approval SET state = 'EXECUTED', executed = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as it stands."""

    id: UUID
    kind: str
    subject: str
    maker_person: str
    checker_person: str | None  # one that expired keeps who decided it, if anybody did
    state: str  # PENDING, APPROVED, REJECTED, EXECUTED or EXPIRED
    reason: str
    created: datetime
    expires: datetime
    decided: datetime | None
    executed: datetime | None


async def request(
    tx: Transaction, *, kind: str, subject: str, payload: bytes, days: int = DAYS, maker: str | None = None
) -> UUID:
    """Ask for an approval as the acting person; its id.

    Args:
        tx: The transaction that makes the draft.
        kind: What is to be approved, for example "determine_pension".
        subject: Of what, for example "ben_…"; one open approval per kind and subject.
        payload: The canonical form of what will be done.
        days: How long it may be decided and executed.
        maker: The natural person in whose name a job asks; by default the acting person.

    Raises:
        AlreadyExists: APPROVAL_PENDING.
        Forbidden: NATURAL_PERSON_REQUIRED.
    """
    await tx.execute(EXPIRE, kind, subject, tx.now)
    approval_id = ids.new_id()
    maker = maker or tx.principal.acting_person
    until = tx.now + timedelta(days=days)
    if await tx.fetchrow(REQUEST, approval_id, kind, subject, _hash(payload), maker, tx.now, until) is None:
        raise AlreadyExists("APPROVAL_PENDING", "the same is waiting for an approval already")
    return approval_id


async def decide(tx: Transaction, approval_id: UUID, *, approve: bool, reason: str = "") -> None:
    """Approve or reject as the acting person, who must be another one than the maker.

    Raises:
        NotFound: APPROVAL_NOT_FOUND.
        Forbidden: SECOND_PERSON_REQUIRED, NATURAL_PERSON_REQUIRED.
        Refused: APPROVAL_DECIDED, APPROVAL_EXPIRED.
    """
    found, _ = await _lock(tx, approval_id)
    checker = tx.principal.acting_person
    if checker == found.maker_person:
        raise Forbidden("SECOND_PERSON_REQUIRED", "the person who made it cannot approve it")
    if found.state not in {"PENDING", "EXPIRED"}:
        raise Refused("APPROVAL_DECIDED", "this was decided before", state=found.state)
    if found.expires <= tx.now:
        raise Refused("APPROVAL_EXPIRED", "the time to decide is over")
    await tx.execute(DECIDE, approval_id, "APPROVED" if approve else "REJECTED", checker, reason, tx.now)


async def execute(tx: Transaction, approval_id: UUID, *, kind: str, subject: str, payload: bytes) -> Approval:
    """Use an approval, in the transaction that does what was approved; once only.

    Raises:
        NotFound: APPROVAL_NOT_FOUND.
        Refused: APPROVAL_MISSING (not approved, of something else, or used), APPROVAL_EXPIRED,
            APPROVAL_PAYLOAD_DIFFERS (not what was approved).
    """
    found, payload_hash = await _lock(tx, approval_id)
    if found.state not in {"APPROVED", "EXPIRED"} or (found.kind, found.subject) != (kind, subject):
        raise Refused("APPROVAL_MISSING", "there is no approval for this", state=found.state)
    if found.expires <= tx.now:
        raise Refused("APPROVAL_EXPIRED", "the approval is too old")
    if not hmac.compare_digest(payload_hash, _hash(payload)):
        raise Refused("APPROVAL_PAYLOAD_DIFFERS", "what is to be done is not what was approved")
    await tx.execute(EXECUTE, approval_id, tx.now)
    return found


async def get(tx: Transaction, approval_id: UUID) -> Approval:
    """An approval.

    Raises:
        NotFound: APPROVAL_NOT_FOUND.
    """
    row = await tx.fetchrow(READ, approval_id)
    if row is None:
        raise _not_found()
    return Approval(**dict(row))


async def _lock(tx: Transaction, approval_id: UUID) -> tuple[Approval, bytes]:
    row = await tx.fetchrow(LOCK, approval_id)
    if row is None:
        raise _not_found()
    values = dict(row)
    payload_hash: bytes = values.pop("payload_hash")
    return Approval(**values), payload_hash


def _hash(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()


def _not_found() -> NotFound:
    return NotFound("APPROVAL_NOT_FOUND", "no such approval")
