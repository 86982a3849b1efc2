"""One HTTP request as the edge sees it, and the answer it will get: reading within limits, writing in one go."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis.logs import REDACTED, clean
from kernel import ids
from kernel.errors import InvalidInput
from services.gateway.edge.problems import language_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from services.gateway.edge.catalogue import Language
    from services.gateway.edge.contract import Route
    from services.gateway.edge.limits import Allowance

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEADERS_MAX = 8192  # bytes of all names and values
BODY_SECONDS = 10.0  # for a body that comes in pieces; 1 MiB at the pace of a bad mobile line
_LOCAL = frozenset({"127.0.0.1", "::1"})
_ADDRESS_MAX = 45  # characters of an IPv6 address
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# Headers that decide something: two of them would let two readers decide differently.
_ONCE = frozenset({b"authorization", b"content-type", b"content-encoding", b"idempotency-key", b"hrss-purpose"})


class Disconnected(Exception):  # noqa: N818 - nobody is left to answer
    """The client went away while it was sending."""


@dataclass(slots=True)
class Exchange:
    """One request and what is known about it."""

    scope: Scope
    receive: Receive
    method: str
    path: str
    headers: Mapping[bytes, bytes]
    headers_size: int
    has_double: bool
    request_id: str
    language: Language
    started: float = field(default_factory=time.perf_counter)
    route: Route | None = None
    label: str = ""  # route template for logs, metrics and traces; never a path
    client: str = ""
    allowance: Allowance | None = None  # what is left of the caller's limit, once the caller is known

    @classmethod
    def of(cls, scope: Scope, receive: Receive) -> Exchange:
        """Read the head of a request."""
        headers: dict[bytes, bytes] = {}
        size, has_double = 0, False
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name in headers and name in _ONCE:
                has_double = True
            headers[name] = value
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        raw = scope.get("raw_path") or scope["path"].encode()
        return cls(
            scope=scope,
            receive=receive,
            method=scope["method"],
            path=raw.partition(b"?")[0].decode("latin-1"),
            headers=headers,
            headers_size=size,
            has_double=has_double,
            request_id=given if _is_request_id(given) else ids.new_id().hex,
            language=language_of(headers.get(b"accept-language", b"").decode("latin-1")),
        )

    def header(self, name: bytes) -> str:
        """A header as text, empty when there is none."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def peer(self) -> str:
        """Address of the client, for the limit of calls without a login; behind a local proxy, what that one says."""
        client = self.scope.get("client")
        address = str(client[0]) if client else ""
        if address in _LOCAL and (forwarded := self.header(b"x-forwarded-for")):
            return forwarded.rpartition(",")[2].strip()[:_ADDRESS_MAX]
        return address

    def check_head(self) -> None:
        """Refuse a head that is too large or says something twice.

        Raises:
            InvalidInput: HEADERS_TOO_LARGE, HEADER_DUPLICATE.
        """
        if self.headers_size > HEADERS_MAX:
            raise InvalidInput("HEADERS_TOO_LARGE", f"headers have at most {HEADERS_MAX} bytes together")
        if self.has_double:
            raise InvalidInput("HEADER_DUPLICATE", "a header that decides something stands twice")

    async def body(self, limit: int, too_large: str = "BODY_TOO_LARGE") -> bytes:
        """The whole body.

        Raises:
            InvalidInput: CONTENT_ENCODING_UNSUPPORTED, BODY_TOO_SLOW, or the reason given as `too_large`.
            Disconnected: The client went away.
        """
        if self.header(b"content-encoding").lower() not in {"", "identity"}:
            raise InvalidInput("CONTENT_ENCODING_UNSUPPORTED", "compressed bodies are not taken")
        announced = self.header(b"content-length")
        if announced.isdecimal() and (len(announced) > len(str(limit)) or int(announced) > limit):
            raise InvalidInput(too_large, f"a body has at most {limit} bytes")
        try:
            async with asyncio.timeout(BODY_SECONDS):  # the first piece may be announced and never sent
                message = await self.receive()
                if message["type"] == "http.request" and not message.get("more_body"):
                    body: bytes = message.get("body", b"")
                    if len(body) > limit:
                        raise InvalidInput(too_large, f"a body has at most {limit} bytes")
                    return body
                return await self._pieces(message, limit, too_large)
        except TimeoutError:
            raise InvalidInput("BODY_TOO_SLOW", "the body did not arrive in time") from None

    async def _pieces(self, message: MutableMapping[str, Any], limit: int, too_large: str) -> bytes:
        pieces, size = [], 0
        while True:
            if message["type"] == "http.disconnect":
                raise Disconnected
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise InvalidInput(too_large, f"a body has at most {limit} bytes")
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)
            message = await self.receive()


def _is_request_id(given: str) -> bool:
    """Whether it may be logged and stored: well formed, and no number that names a person."""
    return _REQUEST_ID.fullmatch(given) is not None and REDACTED not in clean(given)


@dataclass(slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]
    code: str = ""  # reason of a problem

    async def send(self, send: Send) -> None:
        """Write it."""
        self.headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
