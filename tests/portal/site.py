"""The whole site in one event loop: gateway, identity provider and an echo backend, each listening on loopback.

RPCs of services answer what a test told the echo. Routes that the gateway answers itself can be answered by a test
with messages of the contract (`Overlay`), encoded as the edge encodes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import uvicorn

from chassis.client import Backend
from chassis.database import Database
from chassis.principal import Signer
from ops.idp.app import create_app
from ops.secrets import Keys
from services.gateway.edge.backends import Guarded
from services.gateway.edge.encoder import Encoder
from services.gateway.edge.identity import HttpIdentityProvider
from services.gateway.service import Gateway
from services.gateway.settings import GatewaySettings
from tests.gateway.conftest import UNLIMITED
from tests.gateway.echo import Echo, echo_backend
from tests.plugins.databases import NewDatabase
from tests.portal.answers import ID_NO, NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from google.protobuf.message import Message

    from services.gateway.edge.limits import Rates
    from tests.plugins.databases import Templates

HIDDEN = re.compile(r'<input type="hidden" name="([a-z_.]+)" value="([^"]*)"')


@dataclass
class Overlay:
    """Stands before `/v1` and answers what a test programmed; everything else goes through."""

    app: Any
    answers: dict[tuple[str, str], Message | dict[str, Any]] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    _encoder: Encoder = field(default_factory=Encoder)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or pass on."""
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["path"], headers, body))
        found = next(
            (
                answer
                for (method, pattern), answer in self.answers.items()
                if method == scope["method"] and re.fullmatch(pattern, scope["path"])
            ),
            None,
        )
        if found is None:

            async def again() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            await self.app(scope, again, send)
            return
        status = found["status"] if isinstance(found, dict) else 200
        content = orjson.dumps(found) if isinstance(found, dict) else self._encoder.encode(found)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content})


@dataclass
class Site:
    """What a test may use."""

    url: str
    issuer: str
    gateway: Gateway
    echo: Echo
    overlay: Overlay
    keys: Keys

    async def persona(self, id_number: str = ID_NO) -> str:
        """An invented citizen who can log in; their subject."""
        secret = self.keys.password("idp-client-hrss-demo")
        async with httpx.AsyncClient() as http:
            made = await http.post(
                f"{self.issuer}/dev/personas", json={"name": NAME, "id_number": id_number}, auth=("hrss-demo", secret)
            )
        return str(made.json()["sub"])

    @contextlib.asynccontextmanager
    async def browser(self, persona: str = "", *, acr: int = 2, language: str = "en") -> AsyncIterator[Visitor]:
        """A browser without script; logged in when a persona is named."""
        headers = {"accept-language": language, "accept-encoding": "gzip"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers) as http:
            visitor = Visitor(self, http)
            if persona:
                answer = await visitor.log_in(persona, acr=acr)
                assert answer.status_code == 303, answer.text
            yield visitor


@dataclass
class Visitor:
    """A browser without script."""

    site: Site
    http: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return await self.http.get(path)

    async def post(self, path: str, values: dict[str, str] | None = None, *, at: str = "") -> httpx.Response:
        """Open the page with the form (at `at`, else `path`), fill in values and send it."""
        page = await self.http.get(at or path)
        hidden = {name: unescape(value) for name, value in HIDDEN.findall(page.text)}
        return await self.http.post(path, data={**hidden, **(values or {})})

    async def log_in(self, persona: str, *, acr: int = 2, path: str = "/login") -> httpx.Response:
        """Go to the provider, choose a persona there, come back."""
        leaving = await self.http.get(path)
        assert leaving.status_code == 303, leaving.text
        page = await self.http.get(leaving.headers["location"])
        asked = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        form = {name: unescape(value) for name, value in asked.items()} | {"persona": persona, "acr": str(acr)}
        back = await self.http.post(f"{self.site.issuer}/authorize", data=form)
        return await self.http.get(back.headers["location"])


@contextlib.asynccontextmanager
async def run_site(
    templates: Templates, keys_dir: Path, folder: Path, *, rates: Rates = UNLIMITED, env: str = "dev"
) -> AsyncIterator[Site]:
    """Run the site until the block ends."""
    databases = NewDatabase(templates, keys_dir, folder / "files")
    keys = Keys(keys_dir)
    secret_file = keys_dir / "idp-client-hrss-gateway.password"
    keys.password("idp-client-hrss-gateway")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(databases.close)
        echo = await stack.enter_async_context(echo_backend(keys_dir))
        idp_socket, site_socket = _listener(), _listener()
        issuer, url = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in (idp_socket, site_socket))
        await stack.enter_async_context(_serving(create_app(issuer, keys, folder / "personas.sealed"), idp_socket))
        settings = GatewaySettings.model_validate(
            {**databases.settings("gateway").model_dump(), "env": env, "idp_issuer": issuer, "http_port": 0}
        )
        signer = Signer(keys_dir)
        backends = {
            name: Guarded(name, Backend(name, echo.address, signer))
            for name in ("enrollment", "benefits", "training", "card")
        }
        database = Database(settings)
        stack.push_async_callback(database.close)
        provider = HttpIdentityProvider(issuer, "hrss-gateway", secret_file)
        stack.push_async_callback(provider.close)
        gateway = Gateway(settings, database, provider=provider, backends=backends, rates=rates)
        stack.push_async_callback(gateway.close)
        await gateway.keys.refresh()
        await gateway.check()
        overlay = Overlay(gateway._v1)
        gateway.portal._api._app = overlay
        await stack.enter_async_context(_serving(gateway, site_socket))
        yield Site(url, issuer, gateway, echo, overlay, keys)


def _listener() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    return found


class _Server(uvicorn.Server):
    """uvicorn, telling when it accepts connections."""

    def __init__(self, configuration: uvicorn.Config) -> None:
        super().__init__(configuration)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.listening.set()


@contextlib.asynccontextmanager
async def _serving(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    serving = asyncio.create_task(server._serve([listener]))
    try:
        await asyncio.wait_for(server.listening.wait(), 10)
        yield
    finally:
        server.should_exit = True
        await serving
