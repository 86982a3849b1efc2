"""Callers that all ask at the same instant: a few hundred kept connections to two gateways, and nothing in between."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]
# A client is told to come again with the same key, and does.
AGAIN = {"RATE_LIMITED", "SERVER_BUSY", "DATABASE_UNAVAILABLE", "SERVICE_UNAVAILABLE", "DEADLINE_EXCEEDED"}
LOST = "DEADLINE_EXCEEDED"  # it may have been done, and the answer was not waited for
TRIES_MAX = 200


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Json
    key: str
    was_lost: bool = False  # an earlier answer to this very call may have been

    @property
    def is_good(self) -> bool:
        """Whether it was done, now or before."""
        return self.status < 400

    @property
    def is_replayed(self) -> bool:
        """Whether it is the stored answer of the first time."""
        return self.headers.get("idempotency-replayed") == "true"

    @property
    def code(self) -> str:
        """The reason of a refusal."""
        return "" if self.is_good else str(self.body.get("code", "?"))


@dataclass
class Door:
    """One gateway."""

    port: int
    again: int = 0
    _free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def post(self, path: str, body: Json, token: str, key: str = "") -> Answer:
        """Change something; a new key is drawn when none is given."""
        return await self._call("POST", path, token, key or uuid.uuid4().hex, json.dumps(body).encode())

    async def get(self, path: str, token: str) -> Answer:
        """Look something up."""
        return await self._call("GET", path, token, "", b"")

    async def close(self) -> None:
        """Let go of the connections."""
        for _, writer in self._free:
            writer.close()
            await writer.wait_closed()

    async def _call(self, method: str, path: str, token: str, key: str, body: bytes) -> Answer:
        head = f"{method} {path} HTTP/1.1\r\nhost: race\r\nauthorization: Bearer {token}\r\nhrss-purpose: race\r\n"
        # Not sampled: what a trace would say of the thousandth round it said of the first.
        head += f"traceparent: 00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        if key:
            head += f"idempotency-key: {key}\r\n"
        was_lost = False
        for _ in range(TRIES_MAX):
            status, headers, content = await self._once(head.encode() + b"\r\n" + body)
            answer = Answer(status, headers, content, key, was_lost)
            if answer.code not in AGAIN:
                return answer
            self.again += 1
            was_lost = was_lost or answer.code == LOST
            await asyncio.sleep(int(answer.headers.get("retry-after", "1")))
        raise AssertionError(f"{path} was not answered {TRIES_MAX} times")

    async def _once(self, request: bytes) -> tuple[int, Mapping[str, str], Json]:
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        self._free.append((reader, writer))
        return int(lines[0].split()[1]), headers, json.loads(content) if content else {}


async def race(doors: tuple[Door, Door], path: str, body: Json, tokens: list[str], key: str) -> list[Answer]:
    """The same thing asked four times at one instant, in turns through both gateways.

    Two of the four share an idempotency key, as a client that repeats itself; two come with keys of their own, as two
    clients that do not know of each other.
    """
    keys = [key, key, f"{key}-other-1", f"{key}-other-2"]
    calls = [doors[number % 2].post(path, body, tokens[number % len(tokens)], each) for number, each in enumerate(keys)]
    return list(await asyncio.gather(*calls))
