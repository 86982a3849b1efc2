"""Who issues cards: the office itself, or the national platform (全国社保卡服务平台), which is asked over HTTP.

An order travels under a number of ours that the national platform keeps. When an answer stays out, nobody knows whether
the order arrived: it is asked for by that number, and sent again under the same number only when it is not known there.
A call never stands inside a transaction. Name and identity number travel in the body alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from uuid import UUID

TIMEOUT_SECONDS = 5.0
_SIGN_NO_MAX = 80


class Outcome(StrEnum):
    """What became of an order."""

    ISSUED = "ISSUED"
    DECLINED = "DECLINED"
    NOT_THERE = "NOT_THERE"  # never arrived: it may be sent
    NO_ANSWER = "NO_ANSWER"  # nobody knows: it is asked for again


@dataclass(frozen=True, slots=True)
class Content:
    """What is ordered; of the holder's data nothing is printed."""

    request_no: UUID
    level: int
    name: str = field(repr=False)
    id_no: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the back end said; `sign_no` is its own opaque number of the card."""

    outcome: Outcome
    sign_no: str = ""
    simulated: bool = False


class Issuer(Protocol):
    """A back end outside of this platform."""

    async def issue(self, content: Content) -> Answer:
        """Order a card; never raises for what the network does."""

    async def ask(self, request_no: UUID) -> Answer:
        """Ask what became of an order; never raises for what the network does."""

    async def close(self) -> None:
        """Give connections back."""


class NationalIssuer:
    """The national platform."""

    def __init__(self, url: str, client: httpx.AsyncClient | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def issue(self, content: Content) -> Answer:
        """Order a card."""
        body = {
            "request_no": content.request_no.hex,
            "level": content.level,
            "name": content.name,
            "id_no": content.id_no,
        }
        return await self._answer("POST", "/orders", body)

    async def ask(self, request_no: UUID) -> Answer:
        """Ask what became of an order."""
        return await self._answer("GET", f"/orders/{request_no.hex}")

    async def close(self) -> None:
        """Give connections back."""
        await self._client.aclose()

    async def _answer(self, method: str, path: str, body: object = None) -> Answer:
        try:
            reply = await self._client.request(method, self._url + path, json=body)
            if reply.status_code == httpx.codes.NOT_FOUND and method == "GET":
                return Answer(Outcome.NOT_THERE)
            said = reply.raise_for_status().json()
            outcome = Outcome(said["outcome"])
            sign_no, simulated = str(said.get("sign_no", ""))[:_SIGN_NO_MAX], said.get("simulated") is not False
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            return Answer(Outcome.NO_ANSWER)
        known = outcome is Outcome.DECLINED or (outcome is Outcome.ISSUED and sign_no)
        return Answer(outcome, sign_no, simulated) if known else Answer(Outcome.NO_ANSWER)
