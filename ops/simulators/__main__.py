"""`python -m ops.simulators`: run the simulated tax bureau, bank, messages and other area until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import uvicorn

from ops.client import Gateway, IdentityProvider, Login, Problem
from ops.secrets import Keys
from ops.simulators import devices
from ops.simulators.areas import answer_transfers
from ops.simulators.bank import answer_orders, answer_subsidies
from ops.simulators.faces import prove_cards
from ops.simulators.messages import send_reminders
from ops.simulators.tax import pay_open_bills
from ops.simulators.tax_files import answer_refunds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

BUSY_PAUSE, IDLE_PAUSE_MAX = 0.05, 1.0  # seconds between two looks: quick while there is work, calm while there is none
LOG = logging.getLogger("hrss.simulators")


async def watch(name: str, gateway: Gateway, work: Callable[[Gateway], Awaitable[int]]) -> None:
    """Do the work whenever there is some; an outage of the gateway is waited out."""
    pause = BUSY_PAUSE
    while True:
        try:
            done = await work(gateway)
        except (Problem, httpx.HTTPError) as trouble:
            LOG.warning("%s waits: %s", name, trouble)
            done, pause = 0, IDLE_PAUSE_MAX
        if done:
            LOG.info("%s answered %d (simulated)", name, done)
        pause = BUSY_PAUSE if done else min(pause * 2, IDLE_PAUSE_MAX)
        await asyncio.sleep(pause)


class Devices(uvicorn.Server):
    """A server in a process that minds its signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield


async def main() -> None:
    """Run all simulators."""
    keys = Keys(Path(os.environ["HRSS_KEYS_DIR"]))
    async with httpx.AsyncClient(timeout=10) as http:
        provider = IdentityProvider(os.environ.get("HRSS_IDP_URL") or os.environ["HRSS_IDP_ISSUER"], http)
        gateway = Gateway(os.environ["HRSS_GATEWAY_URL"], http)

        def login(client_id: str) -> Login:
            return provider.partner(client_id, keys.password(f"idp-client-{client_id}"))

        tasks = [
            asyncio.create_task(watch("tax bureau", gateway.acting(login("tax-bureau")), pay_open_bills)),
            asyncio.create_task(watch("tax bureau (refunds)", gateway.acting(login("tax-bureau")), answer_refunds)),
            asyncio.create_task(watch("bank", gateway.acting(login("bank")), answer_orders)),
            asyncio.create_task(watch("bank (subsidies)", gateway.acting(login("bank")), answer_subsidies)),
            asyncio.create_task(watch("messages", gateway.acting(login("messages")), send_reminders)),
            asyncio.create_task(watch("face check", gateway.acting(login("faces")), prove_cards)),
            asyncio.create_task(watch("other area", gateway.acting(login("other-area")), answer_transfers)),
        ]
        if port := os.environ.get("HRSS_DEVICES_PORT"):
            app = devices.app(devices.Messages(), devices.Pads(gateway.acting(login("pin-pads"))))
            config = uvicorn.Config(app, host=devices.HOST, port=int(port), log_level="warning")
            tasks.append(asyncio.create_task(Devices(config).serve()))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: [task.cancel() for task in tasks])
        if ready := os.environ.get("HRSS_READY_FILE"):
            Path(ready).write_text(json.dumps({"pid": os.getpid()}))  # noqa: ASYNC240 - once, before any work
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


if __name__ == "__main__":
    if os.environ.get("HRSS_ENV", "dev") not in {"dev", "test"}:
        sys.exit("仿真程序不得用于生产环境。 / Simulators are refused in production (HRSS_ENV=prod).")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(main())
