"""The messages platform (短信平台), which is asked over HTTP like the national platform of cards.

A message travels under a number of ours that the platform keeps. When an answer stays out, nobody knows whether it
left: it is asked for by that number, and sent again under the same number only when it is not known there. The
telephone number and the text travel in the body alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from uuid import UUID

TIMEOUT_SECONDS = 5.0


class Outcome(StrEnum):
    """What became of a message."""

    SENT = "SENT"
    REFUSED = "REFUSED"  # the platform will not send it: no such number, or its owner wants none
    NOT_THERE = "NOT_THERE"  # never arrived: it may be sent
    NO_ANSWER = "NO_ANSWER"  # nobody knows: it is asked for again


@dataclass(frozen=True, slots=True)
class Text:
    """What is sent; nothing of it is printed."""

    request_no: UUID
    phone: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform said."""

    outcome: Outcome
    simulated: bool = False


class Platform(Protocol):
    """A messages platform outside of this one."""

    async def send(self, text: Text) -> Answer:
        """Send a message; never raises for what the network does."""

    async def ask(self, request_no: UUID) -> Answer:
        """Ask what became of a message; never raises for what the network does."""

    async def close(self) -> None:
        """Give connections back."""


class HttpPlatform:
    """A messages platform over HTTP."""

    def __init__(self, url: str, client: httpx.AsyncClient | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def send(self, text: Text) -> Answer:
        """Send a message."""
        body = {"request_no": text.request_no.hex, "phone": text.phone, "text": text.text}
        return await self._answer("POST", "/messages", body)

    async def ask(self, request_no: UUID) -> Answer:
        """Ask what became of a message."""
        return await self._answer("GET", f"/messages/{request_no.hex}")

    async def close(self) -> None:
        """Give connections back."""
        await self._client.aclose()

    async def _answer(self, method: str, path: str, body: object = None) -> Answer:
        try:
            reply = await self._client.request(method, self._url + path, json=body)
            if reply.status_code == httpx.codes.NOT_FOUND and method == "GET":
                return Answer(Outcome.NOT_THERE)
            said = reply.raise_for_status().json()
            outcome, simulated = Outcome(said["outcome"]), said.get("simulated") is not False
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            return Answer(Outcome.NO_ANSWER)
        return Answer(outcome, simulated) if outcome in (Outcome.SENT, Outcome.REFUSED) else Answer(Outcome.NO_ANSWER)
