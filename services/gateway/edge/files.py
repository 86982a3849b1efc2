"""`POST /v1/files`: the one route of `/v1` that is no RPC, because a file is no JSON.

The body is the file. It is stored sealed under the digest of its content, so the same file again is the same upload; a
command then names the upload by id and digest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from chassis import transaction
from chassis.access import AccessRule
from kernel.errors import InvalidInput
from services.gateway.edge.exchange import Answer
from services.gateway.edge.limits import Gate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from chassis.database import Database
    from chassis.files import FileRef, Files
    from chassis.principal import Principal
    from services.gateway.edge.access import Access
    from services.gateway.edge.exchange import Exchange

PATH = "/v1/files"
FILE_MAX = 20 * 1024 * 1024
AT_ONCE = 8  # files in memory: 160 MiB
METHOD = f"POST {PATH}"  # as the audit names it
RULE = AccessRule(
    roles=frozenset({"CLERK", "PARTNER"}),
    scopes=frozenset(
        {"history.import", "enrollment.write", "receipts.write", "payments.write", "certifications.write"}
    ),
    min_acr=2,
)
RATE_CLASS = "HEAVY"
PROBLEMS = ("FILE_EMPTY", "FILE_TOO_LARGE", "CONTENT_TYPE_WRONG")
TYPES = ("text/csv", "application/octet-stream")
_TYPE = re.compile(r"(?:text/csv|application/octet-stream)(?:\s*;.*)?", re.ASCII | re.IGNORECASE)


class Uploads:
    """Takes files in."""

    def __init__(self, access: Access, files: Files, database: Database, today: Callable[[], date]) -> None:
        self._access = access
        self._files = files
        self._database = database
        self._today = today
        self._gate = Gate(at_once=AT_ONCE)

    async def __call__(self, exchange: Exchange) -> Answer:
        """Store the body.

        Raises:
            Busy: SERVER_BUSY: too many files are on their way.
            Unavailable: DATABASE_UNAVAILABLE: an upload that cannot be audited gets no id.
            InvalidInput: CONTENT_TYPE_WRONG, FILE_EMPTY, FILE_TOO_LARGE, and what a body may be refused with.
        """
        exchange.check_head()
        caller = await self._access.admit(exchange, RULE, RATE_CLASS)
        if not _TYPE.fullmatch(exchange.header(b"content-type").strip()):
            raise InvalidInput("CONTENT_TYPE_WRONG", f"a file is {' or '.join(TYPES)}")
        await self._gate.enter(caller.priority)
        try:
            data = await exchange.body(FILE_MAX, too_large="FILE_TOO_LARGE")
            if not data:
                raise InvalidInput("FILE_EMPTY", "the file has no content")
            stored = await self._files.put(data)
        finally:
            self._gate.leave()
        await self._note(caller.principal, stored, exchange.request_id)
        body = orjson.dumps({"upload_id": stored.upload_id, "digest": stored.digest, "size": stored.size})
        return Answer(201, body, [(b"content-type", b"application/json")])

    async def _note(self, principal: Principal, stored: FileRef, request_id: str) -> None:
        detail = {"upload_id": stored.upload_id, "digest": stored.digest, "size": str(stored.size)}

        async def work(tx: transaction.Transaction) -> None:
            tx.audit("file_uploaded", detail=detail)

        await transaction.run(
            self._database, work, principal=principal, today=self._today(), method=METHOD, request_id=request_id
        )
