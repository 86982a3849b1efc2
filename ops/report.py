"""How `hrss status` prints what it found, for people and as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ops import servers
from ops.status import settlement
from ops.supervisor import State

if TYPE_CHECKING:
    from rich.console import Console

    from ops.home import Home
    from ops.status import Settlement

PAUSE_SECONDS = 0.1
NOT_SETTLED = 1
NOT_RUNNING = 3
_STYLES = {"ready": "green", "starting": "yellow", "died": "red"}


def status(home: Home, console: Console, *, settled: bool, wait: float, as_json: bool) -> int:
    """Print the status; exit code 0 good, 1 not everything stands or has arrived, 3 nothing runs here."""
    import os  # noqa: PLC0415 - the one look at the environment

    state = home.state()
    try:
        databases, broker = servers.databases(home, os.environ), servers.broker(home, os.environ)
    except servers.ServerUnknown as error:
        if as_json:
            _print({"running": False, "settled": False})
        else:
            console.print(f"[red]✗[/] {error}", highlight=False)
        return NOT_RUNNING
    found, trouble = asyncio.run(_settlement(databases, broker, wait if settled else 0.0))
    is_good = _stands(state) if not settled else bool(found and found.is_settled)
    if as_json:
        answer: dict[str, Any] = found.as_json() if found else {"settled": False, "trouble": trouble}
        _print({"running": state is not None, "state": (state or {}).get("state", "")} | answer | _places(state))
    else:
        if state:
            console.print(_processes(state))
        if found:
            console.print(_arrivals(found))
        words = ("全部送达 / settled", "尚未全部送达 / not settled") if not trouble else ("", f"无法查看 / {trouble}")
        console.print(words[0] if found and found.is_settled else words[1], highlight=False)
    return 0 if is_good else NOT_SETTLED


async def _settlement(
    databases: servers.Databases, broker: servers.Broker, wait: float
) -> tuple[Settlement | None, str]:
    deadline = time.monotonic() + wait
    while True:
        found, trouble = None, ""
        try:
            found = await settlement(databases, broker)
        except Exception as error:  # noqa: BLE001 - whatever a server away looks like, it is a state to report
            trouble = f"{type(error).__name__}"
        if (found and found.is_settled) or time.monotonic() >= deadline:
            return found, trouble
        await asyncio.sleep(PAUSE_SECONDS)


def _stands(state: dict[str, Any] | None) -> bool:
    return bool(state) and all(one["state"] == State.READY.value for one in (state or {})["processes"].values())


def _places(state: dict[str, Any] | None) -> dict[str, Any]:
    names = ("pid", "gateway_url", "issuer", "traces_url", "processes")
    return {name: state[name] for name in names if name in state} if state else {}


def _processes(state: dict[str, Any]) -> Table:
    table = Table(title="进程 / processes", title_justify="left")
    for title in ("名称 / name", "状态 / state", "pid", "时长 / for", "重启 / restarts"):
        table.add_column(title)
    for name, one in state["processes"].items():
        style = _STYLES.get(one["state"], "dim")
        seconds = f"{max(0, time.time() - one['since']):.0f} s" if one["since"] else ""
        pid = "–" if one["is_step"] else str(one["pid"])
        table.add_row(name, f"[{style}]{one['state']}[/]", pid, seconds, str(one["restarts"]))
    return table


def _arrivals(found: Settlement) -> Table:
    table = Table(title="送达 / arrivals", title_justify="left")
    for title in (
        "服务 / service",
        "发件箱 / outbox",
        "等待 / waiting",
        "搁置 / parked",
        "任务 / jobs",
        "消费者 / consumers",
    ):
        table.add_column(title)
    for service, behind in found.services.items():
        lags = [lag for lag in found.consumers if lag.consumer == service]
        heard = ", ".join(f"{lag.producer} {lag.pending}+{lag.unacknowledged}" for lag in lags) or "–"
        counts = (behind.outbox, behind.waiting, behind.parked, behind.jobs)
        table.add_row(service, *(f"[yellow]{count}[/]" if count else "0" for count in counts), heard)
    return table


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
