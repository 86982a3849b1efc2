"""A small HTTP process: takes its port with a clear word when it cannot, says when it is ready, ends with a signal."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Literal

import uvicorn
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from chassis import config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

STOP_SECONDS = 3  # for requests that are under way
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class LocalSettings(config.Settings):
    """Settings of a process without a login in front of it: it stays on the loopback.

    A container has a loopback of its own, which nobody reaches. There the process may listen on the containers' private
    network when somebody says so; whoever publishes its port keeps it on the loopback of the machine.
    """

    allow_private_network: Literal["", "yes"] = Field(
        default="", description="yes: only containers of one private network reach the address it listens on."
    )

    def reach_problems(self, name: str, host: str) -> list[tuple[str, str, str]]:
        """Refuse an address that others could reach; `name` is the variable that sets it."""
        if (self.allow_private_network and not self.is_prod) or config.is_loopback(host):
            return []
        zh = "没有登录保护，只能监听本机地址；容器专用网络内请设 HRSS_ALLOW_PRIVATE_NETWORK=yes"
        en = "no login protects it, so it stays on the loopback; HRSS_ALLOW_PRIVATE_NETWORK=yes between containers"
        return [(name, zh, en)]


def listen(host: str, port: int, *, variable: str) -> socket.socket:
    """Take a port, or end the process with one line (exit code 2) that names the variable to change it."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        sys.stderr.write(port_taken(port, variable) + "\n")
        raise SystemExit(2) from None
    return listener


def port_taken(port: int | str, variable: str) -> str:
    """What to say when a port is taken, in both languages."""
    return (
        f"端口 {port} 已被占用，请用 {variable}=其他端口 重试 / "
        f"port {port} is taken or not allowed: try again with {variable}=another port"
    )


def serve(
    app: Starlette,
    listener: socket.socket,
    *,
    ready_file: Path | None,
    name: str,
    details: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Serve until SIGTERM or SIGINT; `ready_file` tells the supervisor pid, port and `details`, once all runs."""
    configuration = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        limit_concurrency=200,
        h11_max_incomplete_event_size=16 * 1024,
    )
    server = _Server(configuration)
    server.announce = lambda: write_ready(ready_file, name=name, port=listener.getsockname()[1], details=details())
    # uvicorn raises the signal once more after its orderly end; that end is a success.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    server.run(sockets=[listener])


def write_ready(ready_file: Path | None, *, name: str, port: int, details: Mapping[str, str]) -> None:
    """Write pid and port as JSON, whole or not at all."""
    if ready_file is None:
        return
    draft = ready_file.with_name(f".{ready_file.name}.{os.getpid()}")
    known = {"process": name, "pid": os.getpid(), "port": port, "url": f"http://127.0.0.1:{port}", **details}
    draft.write_text(json.dumps(known))
    draft.rename(ready_file)


async def healthy(_request: Request) -> Response:
    """The answer of a process without dependencies: it runs."""
    return JSONResponse({"status": "ok"})


async def body(request: Request, limit: int) -> bytes:
    """The request body, refused as soon as it is longer than `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, f"at most {limit} bytes")
        parts.append(part)
    return b"".join(parts)


class _Server(uvicorn.Server):
    """uvicorn, telling when it accepts connections."""

    announce = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.announce()
