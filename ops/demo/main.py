"""`hrss demo`: play the working life on the running platform, or on one of its own that ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from ops import children
from ops.client import Problem
from ops.demo.report import tell
from ops.demo.stage import Platform, Stage
from ops.demo.story import play
from ops.home import ROOT, Home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_SECONDS = 120.0  # a first start makes databases and keys
FREE_PORTS = {"HRSS_HTTP_PORT": "0", "HRSS_IDP_PORT": "0", "HRSS_TRACES_HTTP_PORT": "0"}


def main(home: Home, environ: Mapping[str, str], *, run: str = "") -> int:
    """Play the story; 0 when everything agreed with the rules, 1 when something differed or failed.

    Args:
        home: Home of the platform that may be running.
        environ: The environment of the command.
        run: Name of the run; the same name draws the same cast and repeats no step that was done.
    """
    console = Console()
    try:
        with _platform(home, environ, console) as platform, _alone(platform, console):
            return asyncio.run(_play(platform, run or secrets.token_hex(4), console))
    except (Problem, TimeoutError, httpx.HTTPError, RuntimeError) as failure:
        console.print(f"[bold red]✗ 演示中断 / the story stopped:[/] {failure}", highlight=False)
        return 1


async def _play(platform: Platform, run: str, console: Console) -> int:
    console.print(
        f"[bold]一生社保[/] · 演示 {run} · 身份为生成,区划 990000,非真人  "
        "[dim]The working life: generated persons in a region that does not exist[/]",
        highlight=False,
    )
    started = time.monotonic()
    async with httpx.AsyncClient(timeout=30) as http:
        stage = Stage(platform, run, http, console)
        life = await play(stage)
        agreed = await tell(stage, life)
    console.print(f"[dim]{time.monotonic() - started:.1f} s[/]", highlight=False)
    return 0 if agreed else 1


@contextlib.contextmanager
def _alone(platform: Platform, console: Console) -> Iterator[None]:
    """One story at a time: it moves the one business day of the platform."""
    run = platform.keys_dir.parent / "run"
    run.mkdir(exist_ok=True)
    with (run / "demo.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("[dim]另一场演示正在进行,等它结束 / waiting for the story that is being played …[/]")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _platform(home: Home, environ: Mapping[str, str], console: Console) -> Iterator[Platform]:
    """The platform that the environment names or that runs in this home, or one of its own for this story."""
    if environ.get("HRSS_GATEWAY_URL"):
        yield elsewhere(environ)
        return
    state = home.state()
    if state is not None:
        yield of_state(_ready(home), home)
        return
    own = Home(Path(tempfile.mkdtemp(prefix="hrss-demo-")).resolve())
    console.print("[dim]没有正在运行的平台,为演示启动一个 / no platform runs: starting one for the story …[/]")
    process = children.start(
        [sys.executable, "-m", "ops.cli", "up"], env={**environ, **FREE_PORTS, "HRSS_HOME": str(own.root)}, cwd=ROOT
    )
    try:
        yield of_state(_ready(own), own)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(own.root, ignore_errors=True)


def of_state(state: Mapping[str, Any], home: Home) -> Platform:
    """Where a running platform is reached, from what its supervisor wrote."""
    return Platform(state["gateway_url"], state["issuer"], state["traces_url"], home.keys, ROOT / "policy")


def elsewhere(environ: Mapping[str, str]) -> Platform:
    """A platform that no supervisor of this machine holds, as `HRSS_GATEWAY_URL` and its neighbours name it.

    Raises:
        RuntimeError: One of them is missing.
    """
    names = ("HRSS_GATEWAY_URL", "HRSS_IDP_ISSUER", "HRSS_TRACES_URL", "HRSS_KEYS_DIR")
    if missing := [name for name in names if not environ.get(name)]:
        raise RuntimeError(f"还须设置 / also needed: {', '.join(missing)}")
    gateway_url, issuer, traces_url, keys_dir = (environ[name] for name in names)
    store = traces_url.partition("/traces/")[0]  # the variable names the page of one trace
    return Platform(gateway_url, issuer, store, Path(keys_dir).resolve(), ROOT / "policy")


def _ready(home: Home) -> Mapping[str, Any]:
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        state = home.state()
        if state is not None and state["state"] == "running":
            return state
        time.sleep(0.1)
    raise RuntimeError(f"平台未在 {START_SECONDS:.0f} 秒内就绪 / not ready in {START_SECONDS:.0f} s: {home.root}/logs")
