"""The gateway as a process with the development identity provider, in front of the echo backend."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ops import children
from ops.secrets import Keys
from tests.gateway.echo import Echo, echo_backend
from tests.ops.conditions import until
from tests.plugins.databases import NewDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.plugins.databases import Templates

ROOT = Path(__file__).resolve().parents[2]
NAME, ID_NO = "张三", "990000199003151234"


class Process:
    """A process of the platform with its ready file and log."""

    def __init__(self, module: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.log = folder / f"{module}.log"
        self._ready = folder / f"{module}.json"
        told = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
        told |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", "HRSS_READY_FILE": str(self._ready), **environment}
        with self.log.open("wb") as output:
            self.process = children.start([sys.executable, "-m", module], env=told, output=output, cwd=ROOT)

    def ready(self) -> dict[str, Any]:
        """Wait until it says that it is ready."""
        until(lambda: self._ready.exists() or self.process.poll() is not None, seconds=60, what="ready")
        assert self.process.poll() is None, self.log.read_text()
        found: dict[str, Any] = json.loads(self._ready.read_text())
        return found

    def end(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Running:
    """The gateway's address, its neighbours and a client."""

    def __init__(self, process: Process, echo: Echo, issuer: str, http: httpx.AsyncClient, keys: Keys) -> None:
        self.process, self.echo, self.issuer, self.http, self.keys = process, echo, issuer, http, keys
        self.port = process.ready()["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    async def login(self, persona: str, **more: Any) -> dict[str, str]:
        """Headers of a login."""
        answer = await self.http.post(f"{self.issuer}/dev/token", json={"persona": persona, **more})
        return {"authorization": f"Bearer {answer.json()['access_token']}", "hrss-purpose": "counter"}

    async def citizen(self, **more: Any) -> dict[str, str]:
        """Headers of an invented citizen's login."""
        secret = self.keys.password("idp-client-hrss-demo")
        made = await self.http.post(
            f"{self.issuer}/dev/personas", json={"name": NAME, "id_number": ID_NO}, auth=("hrss-demo", secret)
        )
        return await self.login(made.json()["sub"], **more)


@contextlib.asynccontextmanager
async def gateway_process(
    templates: Templates, keys_dir: Path, folder: Path, *, benefits: str = ""
) -> AsyncIterator[Running]:
    """Run the gateway; `benefits` is the address of that service, by default the echo backend."""
    databases = NewDatabase(templates, keys_dir, folder / "files")
    settings = databases.settings("gateway")
    common = {"HRSS_HOME": str(folder), "HRSS_KEYS_DIR": str(keys_dir)}
    idp = Process("ops.idp", folder, {**common, "HRSS_IDP_PORT": "0"})
    async with echo_backend(keys_dir) as echo, httpx.AsyncClient() as http:
        issuer = idp.ready()["url"]
        told = {
            **common,
            "HRSS_ENV": "test",
            "HRSS_FILES_DIR": str(folder / "files"),
            "HRSS_DATABASE_URL": settings.database_url,
            "HRSS_HTTP_PORT": "0",
            "HRSS_IDP_ISSUER": issuer,
            "HRSS_ENROLLMENT_ADDRESS": echo.address,
            "HRSS_BENEFITS_ADDRESS": benefits or echo.address,
            "HRSS_TRAINING_ADDRESS": echo.address,
            "HRSS_CARD_ADDRESS": echo.address,
        }
        gateway = Process("services.gateway", folder, told)
        yield Running(gateway, echo, issuer, http, Keys(keys_dir))
        assert gateway.end() == 0
        log = gateway.log.read_text()
        assert "service_stopped" in log
        assert ID_NO not in log
        assert NAME not in log
    idp.end()
    await databases.close()
