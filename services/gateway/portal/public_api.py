"""The public API as the pages call it: an ASGI request to the gateway's own `/v1`, in this process.

The request has the visitor's token, language and address and takes the whole way of any other: login, limits, access,
idempotency, problems. So the pages can do nothing that an app of somebody else could not do.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    Scope = Any
    Asgi = Callable[[Scope, Any, Any], Coroutine[Any, Any, None]]

CATALOGUE_SECONDS = 60.0  # public answers are believed so long, as the contract's cache rule says
_REMEMBERED_MAX = 1000  # public answers; searches come in any number


@dataclass(frozen=True)
class ApiProblem(Exception):  # noqa: N818 - the contract's word
    """An answer of the kind `application/problem+json`."""

    status: int
    code: str
    title: str = ""
    detail: str = ""
    hint: str = ""
    request_id: str = ""
    acr: int = 0  # the level that a step-up needs
    errors: Sequence[Mapping[str, str]] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    retryable: bool = False

    @property
    def needs_login(self) -> bool:
        """Whether another login would help: none, an expired one, or one that is too weak."""
        return self.status == 401  # noqa: PLR2004 - HTTP


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a call passes on of the visitor's own request."""

    language: str = "zh"
    token: str = ""
    client: tuple[str, int] | None = None
    forwarded: str = ""
    traceparent: str = ""


class PublicApi:
    """Calls the API."""

    def __init__(self, app: Asgi) -> None:
        self._app = app
        self._remembered: dict[tuple[str, str, str], tuple[float, Any]] = {}

    async def get(self, visitor: Visitor, path: str, *, purpose: str = "", case_no: str = "", **query: object) -> Any:
        """Read; query values that are empty are left out.

        Raises:
            ApiProblem: The API refused.
        """
        return await self._call(visitor, "GET", path, purpose=purpose, case_no=case_no, query=_query(query))

    async def look_up(self, visitor: Visitor, path: str, **query: object) -> Any:
        """Read what is public and the same for everybody; an answer is kept for a minute.

        Raises:
            ApiProblem: The API refused.
        """
        key = (visitor.language, path, _query(query))
        found = self._remembered.get(key)
        if found is None or found[0] < time.monotonic():
            nobody = Visitor(visitor.language, "", visitor.client, visitor.forwarded, visitor.traceparent)
            found = (time.monotonic() + CATALOGUE_SECONDS, await self._call(nobody, "GET", path, query=key[2]))
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[key] = found
        return found[1]

    async def post(
        self,
        visitor: Visitor,
        path: str,
        body: Mapping[str, Any],
        *,
        key: str = "",
        purpose: str = "",
        case_no: str = "",
    ) -> Any:
        """Change, or ask with a body; a change carries its idempotency key.

        Raises:
            ApiProblem: The API refused.
        """
        return await self._call(
            visitor, "POST", path, body=orjson.dumps(body), key=key, purpose=purpose, case_no=case_no
        )

    async def upload(self, visitor: Visitor, data: bytes) -> Any:
        """Hand a file over; the answer names it by id and digest.

        Raises:
            ApiProblem: The API refused.
        """
        return await self._call(visitor, "POST", "/v1/files", body=data, content_type="application/octet-stream")

    async def _call(
        self,
        visitor: Visitor,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        content_type: str = "application/json",
        key: str = "",
        purpose: str = "",
        case_no: str = "",
    ) -> Any:
        headers = {
            "accept-language": visitor.language,
            "authorization": f"Bearer {visitor.token}" if visitor.token else "",
            "content-type": content_type if body else "",
            "content-length": str(len(body)) if body else "",
            "idempotency-key": key,
            "hrss-purpose": quote(purpose),
            "hrss-case-no": case_no,
            "x-forwarded-for": visitor.forwarded,
            "traceparent": visitor.traceparent,
        }
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value],
            "client": visitor.client,
            "server": None,
        }
        answer = _Answer(body)
        # A task of its own, with a copy of the context: what the edge binds for its log ends with the call.
        await asyncio.create_task(self._app(scope, answer.receive, answer.send))
        return answer.value()


class _Answer:
    def __init__(self, body: bytes) -> None:
        self._request = body
        self._status = 0
        self._pieces: list[bytes] = []

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._request, "more_body": False}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        else:
            self._pieces.append(message.get("body", b""))

    def value(self) -> Any:
        found = orjson.loads(b"".join(self._pieces) or b"{}")
        if self._status < 400:  # noqa: PLR2004 - HTTP
            return found
        values = found.get("values", {})
        raise ApiProblem(
            status=self._status,
            code=found.get("code", ""),
            title=found.get("title", ""),
            detail=found.get("detail", ""),
            hint=found.get("hint", ""),
            request_id=found.get("request_id", ""),
            acr=int(values.get("acr", 0)) if str(values.get("acr", "0")).isdecimal() else 0,
            errors=tuple(found.get("errors", ())),
            values=values,
            retryable=bool(found.get("retryable")),
        )


def _query(given: Mapping[str, object]) -> str:
    shown = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return urlencode({name: value for name, value in shown.items() if value not in {None, "", "false"}})
