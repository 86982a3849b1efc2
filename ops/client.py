"""A small client of the gateway, as a partner's own system would have one: tokens, idempotency keys, problems.

The demonstration, the simulators and the system tests use the public API through it and nothing else. It is not an
SDK: names and shapes are those of the JSON itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

Json = dict[str, Any]

CONFLICT = 409
TOO_MANY = 429
UNAVAILABLE = 503
TIMED_OUT = 504  # whether it was done is unknown: the key of the request makes the repetition harmless
RETRYABLE = frozenset({CONFLICT, TOO_MANY, UNAVAILABLE, TIMED_OUT})
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.05, 1.0  # between two tries: quick at first, calm when something is down
TOKEN_MARGIN_SECONDS = 60  # a token is renewed this long before it ends, longer than any call takes


class Problem(Exception):  # noqa: N818 - the field's word is problem (RFC 9457)
    """A refusal of the gateway, as it was answered."""

    def __init__(self, response: httpx.Response) -> None:
        body: Json = {}
        if response.headers.get("content-type", "").startswith("application/problem+json"):
            body = response.json()
        self.status = response.status_code
        self.code: str = body.get("code", "")
        self.body = body
        super().__init__(f"{self.status} {self.code}: {body.get('detail', response.text[:200])}")

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.status in RETRYABLE and bool(self.body.get("retryable", True))


@dataclass(frozen=True)
class Answer:
    """A good answer with what a client may want from its headers."""

    body: Json
    headers: Mapping[str, str]

    @property
    def trace_id(self) -> str:
        """Id of the trace of the call, empty when the gateway did not say."""
        parts = self.headers.get("traceparent", "").split("-")
        return parts[1] if len(parts) == 4 else ""  # noqa: PLR2004 - W3C trace context has four parts


@dataclass
class Login:
    """Access token of one principal, fetched when needed and renewed before it ends."""

    fetch: Callable[[], Awaitable[Json]]
    token: str = ""
    ends: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def bearer(self) -> str:
        """A token that is good for at least the next minute."""
        async with self.lock:
            if time.monotonic() > self.ends - TOKEN_MARGIN_SECONDS:
                answer = await self.fetch()
                self.token, self.ends = str(answer["access_token"]), time.monotonic() + float(answer["expires_in"])
            return self.token


class IdentityProvider:
    """The development identity provider as a client sees it."""

    def __init__(self, issuer: str, http: httpx.AsyncClient, patience: float = 0.0) -> None:
        self.issuer, self.http, self.patience = issuer, http, patience

    def partner(self, client_id: str, secret: str) -> Login:
        """Log in a partner system by its client credentials."""
        form = {"grant_type": "client_credentials"}
        return Login(lambda: self._post("/token", data=form, auth=(client_id, secret)))

    def persona(self, subject: str, acr: int | None = None) -> Login:
        """Log in a persona of the development identity provider (never exists in production)."""
        body = {"persona": subject} if acr is None else {"persona": subject, "acr": acr}
        return Login(lambda: self._post("/dev/token", json=body))

    async def add_persona(self, name: str, id_number: str, *, client_id: str, secret: str) -> str:
        """Make a generated person known to the development identity provider; answers the subject."""
        body = {"name": name, "id_number": id_number}
        return str((await self._post("/dev/personas", json=body, auth=(client_id, secret)))["sub"])

    async def _post(self, path: str, **request: Any) -> Json:
        limit = time.monotonic() + self.patience
        while True:
            try:
                answer = await self.http.post(self.issuer + path, **request)
                return dict(answer.raise_for_status().json())
            except httpx.TransportError:
                if time.monotonic() > limit:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)


@dataclass
class Gateway:
    """The gateway for one principal.

    Patience is how a client is meant to meet a conflict, an overload or an unknown outcome: it repeats the same request
    with the same key, and the key makes the repetition harmless.
    """

    url: str
    http: httpx.AsyncClient
    login: Login | None = None
    purpose: str = ""
    patience: float = 0.0  # seconds; 0 gives up at the first refusal
    is_traced: bool = True  # False: the calls ask not to be recorded, as polls do that would bury everything else

    def acting(self, login: Login, purpose: str = "") -> Self:
        """The same gateway for another principal; staff state a purpose."""
        return replace(self, login=login, purpose=purpose)

    async def get(self, path: str, **query: str | int) -> Json:
        """Read; query parameters with their API names."""
        return (await self.call("GET", path, query=query)).body

    async def post(self, path: str, body: Json, *, key: str = "") -> Json:
        """Change; `key` makes a repetition harmless, a new key is drawn when it is empty."""
        return (await self.call("POST", path, body=body, key=key or uuid.uuid4().hex)).body

    async def ask(self, path: str, body: Json) -> Json:
        """Ask what takes a body and changes nothing."""
        return (await self.call("POST", path, body=body)).body

    async def upload(self, content: bytes, content_type: str = "text/csv") -> Json:
        """Upload a file; answers its id and digest. The same content again is the same file."""
        return (await self.call("POST", "/v1/files", content=content, headers={"content-type": content_type})).body

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        content: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
        key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call, and call again while the refusal is retryable and patience lasts.

        Raises:
            Problem: the gateway refused.
            httpx.TransportError: it was not reached.
        """
        sent = {"accept-language": "zh-CN", "hrss-purpose": self.purpose, "idempotency-key": key, **(headers or {})}
        sent = {name: value for name, value in sent.items() if value}
        request = self.http.build_request(
            method, self.url + path, json=body, content=content, params=query or None, headers=sent
        )
        limit, pause = time.monotonic() + self.patience, PAUSE_SECONDS
        while True:
            try:
                return await self._once(request)
            except (Problem, httpx.TransportError) as refusal:
                final = isinstance(refusal, Problem) and not refusal.retryable
                if final or time.monotonic() + pause > limit:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def _once(self, request: httpx.Request) -> Answer:
        if not self.is_traced:
            request.headers["traceparent"] = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00"
        if self.login:
            request.headers["authorization"] = f"Bearer {await self.login.bearer()}"
        response = await self.http.send(request)
        if response.status_code >= httpx.codes.BAD_REQUEST:
            raise Problem(response)
        return Answer(response.json() if response.content else {}, response.headers)


def key_of(*parts: object) -> str:
    """An idempotency key from what makes a request the same request."""
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()[:40]
