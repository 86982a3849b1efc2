"""The gateway's wiring, and the life of its process.

Start: logs → telemetry → database and schema → clock → channels → bus, relay and case worker → keys of the identity
provider → listen → ready. End: readiness off → (2 s in production) → no new connections, 10 s for requests under way →
case worker → relay → bus → channels → database → 2 s to send the last spans → exit 0. A service, a broker or an
identity provider that is away stops neither: its routes say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

import uvicorn

from chassis import clocks, collector, logs, metrics, telemetry
from chassis.client import Backend
from chassis.database import Database
from chassis.files import Files
from chassis.local import Local
from chassis.logs import get_logger
from chassis.operations import OperationsRpc, State
from chassis.policy import PolicyInvalid, policy_of
from chassis.principal import Signer
from kernel.errors import DomainError
from services.gateway.background import Background
from services.gateway.cases.desk import Desk
from services.gateway.cases.holidays import Holidays
from services.gateway.cases.policy import CasePolicy
from services.gateway.cases.rpc import CaseRpc
from services.gateway.cases.worker import Worker
from services.gateway.clock import BusinessClock
from services.gateway.console.pages import CONSOLE_PAGES
from services.gateway.edge import catalogue, contract
from services.gateway.edge import files as uploads
from services.gateway.edge.access import Access
from services.gateway.edge.access_log import AccessLog
from services.gateway.edge.backends import Guarded
from services.gateway.edge.identity import HttpIdentityProvider, Identities
from services.gateway.edge.limits import Rates
from services.gateway.edge.problems import Problems
from services.gateway.edge.protocol import BoundedProtocol
from services.gateway.edge.tokens import KeySet, Tokens
from services.gateway.edge.transcoder import Transcoder
from services.gateway.items.policy import ItemPolicy
from services.gateway.items.rpc import ItemRpc
from services.gateway.own import ClockRpc, MeRpc
from services.gateway.pages.shell import make_shell
from services.gateway.platform.policy import PlanPolicy
from services.gateway.platform.rpc import PlatformRpc
from services.gateway.portal.all_pages import ALL_PAGES
from services.gateway.portal.portal import Portal
from services.gateway.telling import Teller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chassis.call import Servicer
    from chassis.policy import PolicyStore
    from services.gateway.edge.backends import Callee
    from services.gateway.edge.exchange import Receive, Scope, Send
    from services.gateway.edge.identity import IdentityProvider
    from services.gateway.settings import GatewaySettings

log = get_logger(__name__)

CLIENT_ID = "hrss-gateway"
DRAIN_SECONDS = 10.0
CHECK_SECONDS = 1.0
KEYS_SECONDS = 5.0  # how long the start waits for the identity provider; afterwards it is asked in the background
_KEYS_PAUSE_SECONDS = 0.2
_CONNECTIONS_MAX = 2000
_KEEP_ALIVE_SECONDS = 75  # longer than balancers keep theirs, so that they close first


class Gateway:
    """The ASGI application with all that it holds. Make it inside the running event loop."""

    def __init__(
        self,
        settings: GatewaySettings,
        database: Database,
        *,
        provider: IdentityProvider,
        backends: Mapping[str, Guarded] | None = None,
        rates: Rates | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.clock = BusinessClock(is_prod=settings.is_prod)
        self.missing: dict[str, str] = {"start": "starting"}
        self.keys = KeySet(provider.keys)
        law = policy_of(settings)
        services = backends if backends is not None else _channels(settings)
        self.desk = Desk(CasePolicy(law), Holidays())
        own = Local(database, self._own_servicers(law, services))
        self.backends = {**services, contract.OWN_SERVICE: Guarded(contract.OWN_SERVICE, own)}
        self.background = Background(database, Worker(database, self.backends, self.desk, lambda: self.clock.today))
        callees = {name: backend.callee for name, backend in services.items()}
        self.teller = Teller(self.clock, callees)
        routes = contract.routes()
        known = catalogue.load()
        self.access = access = Access(
            Tokens(settings.idp_issuer, self.keys, is_prod=settings.is_prod),
            Identities(provider, self.backends["enrollment"], database),
            rates or Rates(),
            lambda: self.clock.today,
        )
        upload = uploads.Uploads(
            access, Files(settings.files_dir, settings.keys_dir), database, lambda: self.clock.today
        )
        self._v1 = Transcoder(
            routes,
            access=access,
            backends=self.backends,
            problems=Problems(known),
            today=lambda: self.clock.today,
            log=AccessLog(settings),
            extra={("POST", uploads.PATH): upload},
        )
        self.portal = Portal(
            settings,
            database,
            self._v1,
            lambda: self.clock.today,
            (*ALL_PAGES, *CONSOLE_PAGES),
            sources=law.sources,
        )
        self._shell = make_shell(settings, routes, known, readiness=self.readiness, portal=self.portal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send `/v1` to the transcoder and the rest to the shell."""
        if scope["type"] == "http" and (scope["path"].startswith("/v1/") or scope["path"] == "/v1"):
            await self._v1(scope, receive, send)
        else:
            await self._shell(scope, receive, send)

    def _own_servicers(self, law: PolicyStore, backends: Mapping[str, Guarded]) -> tuple[Servicer, ...]:
        """What this process answers itself; a new service of the gateway adds its edge here."""
        plan = PlanPolicy(law, clocks.business_day())
        return (
            MeRpc(),
            ClockRpc(self.clock),
            ItemRpc(ItemPolicy(law)),
            CaseRpc(self.desk, backends["enrollment"], backends["card"]),
            OperationsRpc(State(lambda: self.missing, lambda: self.background.is_broker_away, ())),
            PlatformRpc(self._callees, plan, self.settings.traces_url),
        )

    def _callees(self) -> dict[str, Callee]:
        """Every service that can be asked how it is, this one last."""
        return {name: backend.callee for name, backend in self.backends.items()}

    async def readiness(self) -> dict[str, str]:
        """What stands in the way of work, by part."""
        return self.missing

    async def check(self) -> None:
        """Look at what this process needs. A service that is away is no reason: its own routes say so."""
        missing = await self.background.readiness.missing()
        if not self.keys.is_loaded:
            missing["identity provider"] = "keys are not known"
        if missing != self.missing:
            log.info("readiness_changed", missing=missing)
        self.missing = missing

    async def close(self) -> None:
        """Let go of the channels."""
        await self.portal.close()
        for backend in self.backends.values():
            await backend.close()


def run(settings: GatewaySettings) -> None:
    """Run the gateway until it is told to stop; ends the process with its exit code."""
    logs.configure(settings)
    telemetry.start(settings)
    listener = _listen(settings)
    try:
        import uvloop  # noqa: PLC0415 - not needed by tests that import this module

        code = uvloop.run(_Process(settings, listener).live())
    except (DomainError, OSError, ValueError, contract.ContractWrong, catalogue.CatalogueWrong, PolicyInvalid) as error:
        log.error("start_failed", error=error)  # noqa: TRY400 - a sentence says it, a traceback hides it
        sys.stderr.write(f"无法启动 gateway：{logs.describe(error)} / cannot start gateway\n")
        code = 1
    finally:
        telemetry.stop()
    sys.stderr.flush()
    raise SystemExit(code)


class _Process:
    def __init__(self, settings: GatewaySettings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._asked = asyncio.Event()
        self._parts: list[asyncio.Task[None]] = []
        self._gateway: Gateway | None = None

    async def live(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        settings = self._settings
        database = Database(settings)
        secret_file = settings.keys_dir / f"idp-client-{CLIENT_ID}.password"
        provider = HttpIdentityProvider(settings.idp_issuer, CLIENT_ID, secret_file, url=settings.idp_url)
        gateway = self._gateway = Gateway(settings, database, provider=provider)
        monitor = metrics.Monitor(
            settings.http_host,
            settings.metrics_port,
            readiness=gateway.readiness,
            refresh=gateway.background.refresh,
        )
        server = _Server(_configuration(gateway))
        serving: asyncio.Task[None] | None = None
        try:
            await monitor.start()
            self._part(metrics.watch_loop())
            if await self._until_asked(self._prepare(gateway)):
                serving = asyncio.create_task(server._serve([self._listener]))  # noqa: SLF001 - without its signals
                self._part(self._announce(gateway, server, monitor.port))
                asked = asyncio.create_task(self._asked.wait())
                await asyncio.wait({asked, serving}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
        finally:
            await self._end(gateway, server, serving)
            await provider.close()
            await database.close()
            await monitor.stop()
            log.info("service_stopped")
        return 0

    def _ask_to_stop(self) -> None:
        if self._asked.is_set():
            os._exit(1)
        self._asked.set()

    async def _until_asked(self, work: Any) -> bool:
        """Do the work unless the process is asked to stop before it is done."""
        task, asked = asyncio.create_task(work), asyncio.create_task(self._asked.wait())
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return False
        task.result()
        return not self._asked.is_set()

    async def _prepare(self, gateway: Gateway) -> None:
        """Wait for the database, which may still be migrating, and a moment for the identity provider."""
        while True:
            await gateway.check()
            if "database" not in gateway.missing:
                break
            await asyncio.sleep(CHECK_SECONDS)
        await gateway.clock.read(gateway.database)
        until = time.monotonic() + KEYS_SECONDS
        while not gateway.keys.is_loaded and time.monotonic() < until:
            await gateway.keys.refresh()
            if not gateway.keys.is_loaded:
                await asyncio.sleep(_KEYS_PAUSE_SECONDS)
        await gateway.background.start()
        self._part(gateway.keys.keep_fresh())
        self._part(gateway.clock.keep_reading(gateway.database))
        self._part(gateway.teller.run())

    async def _announce(self, gateway: Gateway, server: _Server, metrics_port: int) -> None:
        await server.listening.wait()
        await gateway.check()
        collector.spare_what_stays()
        port = self._listener.getsockname()[1]
        _write_ready_file(self._settings, port, metrics_port)
        log.info("service_ready", http_port=port, metrics_port=metrics_port)
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if not self._asked.is_set():
                await gateway.check()

    async def _end(self, gateway: Gateway, server: _Server, serving: asyncio.Task[None] | None) -> None:
        gateway.missing = {"stop": "stopping"}
        log.info("service_stopping")
        if serving is not None and not serving.done():
            await asyncio.sleep(self._settings.shutdown_delay)
            server.should_exit = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS + 1):
                    await serving
        await gateway.background.stop()
        for part in self._parts:
            part.cancel()
        await asyncio.gather(*self._parts, return_exceptions=True)
        await gateway.close()

    def _part(self, work: Any) -> None:
        self._parts.append(asyncio.create_task(work))


class _Server(uvicorn.Server):
    """uvicorn, telling when it accepts connections."""

    def __init__(self, configuration: uvicorn.Config) -> None:
        super().__init__(configuration)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.listening.set()


def _channels(settings: GatewaySettings) -> dict[str, Guarded]:
    signer = Signer(settings.keys_dir)
    return {name: Guarded(name, Backend(name, address, signer)) for name, address in settings.addresses.items()}


def _configuration(gateway: Gateway) -> uvicorn.Config:
    return uvicorn.Config(
        gateway,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the one place that needs the client's address reads the header itself
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(DRAIN_SECONDS),
        limit_concurrency=_CONNECTIONS_MAX,
    )


def _listen(settings: GatewaySettings) -> socket.socket:
    """Take the port, or end the process with one line that names the variable to change it."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.http_host, settings.http_port))
    except OSError as error:
        listener.close()
        sys.stderr.write(
            f"端口 {settings.http_port} 不可用（{error.strerror}），请修改 HRSS_HTTP_PORT / "
            f"port {settings.http_port} cannot be used: change HRSS_HTTP_PORT\n"
        )
        raise SystemExit(2) from None
    return listener


def _write_ready_file(settings: GatewaySettings, port: int, metrics_port: int) -> None:
    if settings.ready_file is None:
        return
    known = {"pid": os.getpid(), "port": port, "url": f"http://127.0.0.1:{port}", "metrics_port": metrics_port}
    fresh = settings.ready_file.with_name(f"{settings.ready_file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(known), encoding="utf-8")
    fresh.replace(settings.ready_file)
