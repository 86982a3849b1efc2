"""One gateway per module, in front of an echo backend, with its own database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from chassis.client import Backend
from chassis.database import Database
from chassis.principal import Signer
from services.gateway.edge.backends import Guarded
from services.gateway.edge.limits import Rates
from services.gateway.service import Gateway
from services.gateway.settings import GatewaySettings
from tests.gateway.echo import Echo, echo_backend
from tests.gateway.identity_provider import ISSUER, Provider
from tests.plugins.databases import NewDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.databases import Templates

UNLIMITED = Rates(
    rates={
        who: dict.fromkeys(("READ", "WRITE", "HEAVY", "PUBLIC"), (1e6, 10**6))
        for who in ("citizen", "staff", "partner", "nobody")
    }
)


@dataclass
class Edge:
    """A gateway that runs, with what is around it."""

    gateway: Gateway
    provider: Provider
    echo: Echo
    http: httpx.AsyncClient

    async def get(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        """Read."""
        return await self.http.get(path, headers=_headers(token, headers))

    async def post(self, path: str, body: Any = None, token: str = "", **headers: str) -> httpx.Response:
        """Change; bytes are sent as they are."""
        given = {"idempotency_key": "key-12345678", "content_type": "application/json"} | headers
        data = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.http.post(path, headers=_headers(token, given), **data)


def _headers(token: str, headers: dict[str, str]) -> dict[str, str]:
    """Headers from Python names; an empty one is left out."""
    given = {name.replace("_", "-"): value for name, value in headers.items() if value}
    given.setdefault("hrss-purpose", "counter")
    return given | ({"authorization": f"Bearer {token}"} if token else {})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(templates: Templates, keys_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """A gateway in front of the echo backend."""
    folder = tmp_path_factory.mktemp("edge")
    databases = NewDatabase(templates, keys_dir, folder / "files")
    settings = GatewaySettings.model_validate(
        {**databases.settings("gateway").model_dump(), "idp_issuer": ISSUER, "http_port": 0}
    )
    provider = Provider()
    async with echo_backend(keys_dir) as echo:
        signer = Signer(keys_dir)
        backends = {
            name: Guarded(name, Backend(name, echo.address, signer))
            for name in ("enrollment", "benefits", "training", "card")
        }
        database = Database(settings)
        gateway = Gateway(settings, database, provider=provider, backends=backends, rates=UNLIMITED)
        await gateway.keys.refresh()
        await gateway.check()
        transport = httpx.ASGITransport(app=gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
            yield Edge(gateway, provider, echo, http)
        await gateway.close()
        await database.close()
    await databases.close()


@pytest.fixture(autouse=True)
def fresh_echo(request: pytest.FixtureRequest) -> None:
    """Each test begins with a backend that has seen nothing."""
    if "edge" in request.fixturenames:
        request.getfixturevalue("edge").echo.reset()
