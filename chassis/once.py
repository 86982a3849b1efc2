"""Once: a request with a known id gets the reply it got before, also when two of them arrive together.

The row of the request is inserted first, so a second one with the same id waits for the first and then reads its
reply; the reply is stored in the transaction of the change. A refusal rolls everything back and stores nothing: asked
again, it is decided again. Replies are sealed (they may hold personal data) and kept 30 days; what must not happen
twice for ever is guarded by the natural keys of the tables.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import asyncpg

from chassis import transaction
from kernel.errors import Conflict, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date

    from chassis.database import Database
    from chassis.principal import Principal
    from chassis.transaction import Transaction

RETRY_AFTER_SECONDS = 1.0

CLAIM = """
    INSERT INTO request (caller, method, request_id, body_hash) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING RETURNING true
"""
STORED = "SELECT body_hash, reply, versions FROM request WHERE caller = $1 AND method = $2 AND request_id = $3"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a request the same: who asks for what under which id; and the digest of what is asked."""

    caller: str
    method: str
    request_id: str
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class StoredReply:
    """The reply, now or from before."""

    body: bytes
    replayed: bool
    min_version: str = ""  # what was said with it, as "kind:id:version,…"


async def once(
    database: Database,
    key: RequestKey,
    work: Callable[[Transaction], Awaitable[bytes]],
    *,
    principal: Principal,
    today: date,
) -> StoredReply:
    """Run `work` in one transaction with the stored reply, or give the reply of the first time.

    Raises:
        Refused: REQUEST_ID_REUSED: the id was used with another body.
        Conflict: REQUEST_IN_PROGRESS: the same request is still running elsewhere.
    """
    is_off = database.settings.is_off("once")
    said: list[Transaction] = []

    async def claimed(tx: Transaction) -> StoredReply:
        if not is_off and not await _claim(tx, key):
            return await _stored(tx, key)
        body = await work(tx)
        if not tx.is_audited:
            tx.audit(key.method)
        if not is_off:
            sealed = database.sealer.seal("request", "reply", _place(key), body)
            tx.keep_reply(key.caller, key.request_id, sealed)
        said[:] = [tx]
        return StoredReply(body, replayed=False)

    reply = await transaction.run(
        database,
        claimed,
        principal=principal,
        today=today,
        method=key.method,
        request_id=key.request_id,
        body_digest=key.body_hash,
    )
    return reply if reply.replayed else replace(reply, min_version=transaction.min_version(said[0].versions))


async def _claim(tx: Transaction, key: RequestKey) -> bool:
    """Whether this transaction is the first with the request; waits for another that claimed it."""
    try:
        row = await tx.fetchrow(CLAIM, key.caller, key.method, key.request_id, key.body_hash)
    except asyncpg.LockNotAvailableError:
        raise Conflict(
            "REQUEST_IN_PROGRESS", "the same request is still being worked on", retry_after=RETRY_AFTER_SECONDS
        ) from None
    return row is not None


async def _stored(tx: Transaction, key: RequestKey) -> StoredReply:
    row = await tx.fetchrow(STORED, key.caller, key.method, key.request_id)
    if row is None:  # purged between the two statements: the caller may ask again
        raise Conflict("REQUEST_IN_PROGRESS", "the same request was just removed", retry_after=RETRY_AFTER_SECONDS)
    if not hmac.compare_digest(row["body_hash"], key.body_hash):
        raise Refused("REQUEST_ID_REUSED", "this request id was used with another body")
    # What it shows was counted the first time.
    body = tx.database.sealer.open("request", "reply", _place(key), row["reply"], is_shown=False)
    return StoredReply(body, replayed=True, min_version=row["versions"])


def _place(key: RequestKey) -> str:
    """The row of the request as the sealed reply knows it; lengths keep the parts apart."""
    return "|".join(f"{len(part)}:{part}" for part in (key.caller, key.method, key.request_id))
