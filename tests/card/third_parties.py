"""Third parties as they come: over HTTP, through the gateway, to the real card service."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from chassis.client import Backend
from chassis.principal import Signer
from hrss.card.v1 import card_service_pb2 as pb
from services.gateway.edge.backends import Guarded
from services.gateway.service import Gateway
from services.gateway.settings import GatewaySettings
from tests.card.builders import a_key
from tests.gateway.conftest import UNLIMITED
from tests.gateway.identity_provider import ISSUER, Provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.gateway.edge.limits import Rates
    from tests.card.builders import Desk
    from tests.plugins.databases import NewDatabase


@dataclass
class Edge:
    """The gateway in front of the card service."""

    http: httpx.AsyncClient
    provider: Provider

    async def post(self, path: str, body: Any, token: str, key: str = "") -> httpx.Response:
        """Change something."""
        headers = {"idempotency-key": key or f"key-of-{a_key()}", "hrss-purpose": "contract"}
        return await self.http.post(path, json=body, headers=headers | {"authorization": f"Bearer {token}"})

    async def register(self, client: str, **fields: Any) -> None:
        """Register a contract, as a supervisor does."""
        point = fields.pop("public_key", "")
        contract = {"client": client, "name": "南通示例医院", "active": True, "purposes": ["medical"], **fields}
        body = {"verifier": {"daily_quota": 100, **contract}, "public_key": point}
        reply = await self.post("/v1/card-verifiers", body, self.provider.staff("SUPERVISOR"))
        assert reply.status_code == 201, reply.text

    def verifier(self, client: str, *scopes: str) -> str:
        """The token of a verifier."""
        return self.provider.partner(*(scopes or ("cards.verify",)), client=client)

    async def verify(self, code: str, token: str, purpose: str = "identity", **more: str) -> dict[str, Any]:
        """Verify a code; the answer."""
        reply = await self.post("/v1/card-tokens:verify", {"token": code, "purpose": purpose, **more}, token)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        assert set(answer) <= set(pb.VerifyTokenResponse.DESCRIPTOR.fields_by_name)
        return answer


@contextlib.asynccontextmanager
async def edge_of(desk: Desk, new_database: NewDatabase, rates: Rates = UNLIMITED) -> AsyncIterator[Edge]:
    """A gateway in front of the card service that a desk runs."""
    database = await new_database("gateway")
    settings = GatewaySettings.model_validate({**database.settings.model_dump(), "idp_issuer": ISSUER, "http_port": 0})
    signer = Signer(database.settings.keys_dir)
    backends = {
        name: Guarded(name, Backend(name, desk.running.address, signer))
        for name in ("enrollment", "benefits", "training", "card")
    }
    provider = Provider()
    gateway = Gateway(settings, database, provider=provider, backends=backends, rates=rates)
    await gateway.keys.refresh()
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
        yield Edge(http, provider)
    await gateway.close()
