"""`POST /v1/files`: the one route of `/v1` that is no RPC, because a file is no JSON.

The body is the file. It is stored sealed under the digest of its content, so the same file again is the same upload; a
command then names the upload by id and digest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from chassis.access import AccessRule
from kernel.errors import InvalidInput
from services.gateway.edge.exchange import Answer

if TYPE_CHECKING:
    from chassis.files import Files
    from services.gateway.edge.access import Access
    from services.gateway.edge.exchange import Exchange

PATH = "/v1/files"
FILE_MAX = 20 * 1024 * 1024
RULE = AccessRule(roles=frozenset({"CLERK", "PARTNER"}), scopes=frozenset({"history.import"}))
RATE_CLASS = "HEAVY"
PROBLEMS = ("FILE_EMPTY", "FILE_TOO_LARGE", "CONTENT_TYPE_WRONG")
TYPES = ("text/csv", "application/octet-stream")
_TYPE = re.compile(r"(?:text/csv|application/octet-stream)(?:\s*;.*)?", re.ASCII | re.IGNORECASE)


class Uploads:
    """Takes files in."""

    def __init__(self, access: Access, files: Files) -> None:
        self._access = access
        self._files = files

    async def __call__(self, exchange: Exchange) -> Answer:
        """Store the body.

        Raises:
            InvalidInput: CONTENT_TYPE_WRONG, FILE_EMPTY, FILE_TOO_LARGE, and what a body may be refused with.
        """
        exchange.check_head()
        await self._access.admit(exchange, RULE, RATE_CLASS)
        if not _TYPE.fullmatch(exchange.header(b"content-type").strip()):
            raise InvalidInput("CONTENT_TYPE_WRONG", f"a file is {' or '.join(TYPES)}")
        data = await exchange.body(FILE_MAX, too_large="FILE_TOO_LARGE")
        if not data:
            raise InvalidInput("FILE_EMPTY", "the file has no content")
        stored = await self._files.put(data)
        body = orjson.dumps({"upload_id": stored.upload_id, "digest": stored.digest, "size": stored.size})
        return Answer(201, body, [(b"content-type", b"application/json")])
