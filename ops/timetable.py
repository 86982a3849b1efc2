"""`hrss timetable`: what the services start by themselves, when next, and how the latest start went."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from kernel import ids
from kernel.calendar import SHANGHAI
from kernel.errors import DomainError
from ops import servers
from ops.operate import Operator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncpg import Record

    from ops.home import Home

TROUBLE = 1  # exit code when an entry's latest start failed
OFF = {
    "NOT_SWITCHED_ON": "未启用 / not switched on",
    "NO_MAKER": "未指定准备人 / nobody prepares (HRSS_TIMETABLE_MAKER)",
}
STATES = {
    "": "从未 / never",
    "STARTED": "进行中 / running",
    "DONE": "[green]✓[/] 完成 / done",
    "NEEDLESS": "[green]✓[/] 已人工办理 / done by hand",
    "FAILED": "[red]✗[/] 稍后再试 / failed, tried again",
    "GIVEN_UP": "[red]✗[/] 不再重试 / failed for good",
}


def main(home: Home, environ: Mapping[str, str], console: Console, *, as_json: bool) -> int:
    """Show the timetable; 0 when every latest start went well, 1 when one did not, 2 when nobody could look."""
    try:
        operator = Operator(servers.databases(home, environ), servers.broker(home, environ), home.keys)
        found = asyncio.run(operator.timetable())
    except (DomainError, servers.ServerUnknown) as error:
        Console(stderr=True).print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        return 2
    if as_json:
        entries = [_plain(service, row) for service, row in found]
        sys.stdout.write(json.dumps({"entries": entries}, ensure_ascii=False, indent=2) + "\n")
    else:
        console.print(_table(found))
    return TROUBLE if any(row["state"] in {"FAILED", "GIVEN_UP"} for _, row in found) else 0


def _table(found: list[tuple[str, Record]]) -> Table:
    """One line for each entry, as narrow as a terminal; what the entries do stands in the JSON and on the page."""
    table = Table()
    for title in ("事项 / entry", "下次 / next", "最近 / last"):
        table.add_column(title, no_wrap=True)
    table.add_column("结果 / result", overflow="fold")
    for service, row in found:
        upcoming = f"{row['next'].astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if row["next"] else ""
        result = [STATES[row["state"] or ""]] if row["state"] or not row["off"] else []
        if row["off"]:
            result.append(OFF[row["off"]])
        if row["reason"]:
            result.append(row["reason"])
        if row["left_out"]:
            result.append(f"略过 / left out {row['left_out']}")
        table.add_row(f"{service}\n  {row['entry']}", upcoming, str(row["business_date"] or ""), "\n".join(result))
    return table


def _plain(service: str, row: Record) -> dict[str, Any]:
    return {
        "service": service,
        "entry": row["entry"],
        "title_zh": row["zh"],
        "title_en": row["en"],
        "when_zh": row["when_zh"],
        "when_en": row["when_en"],
        "off": row["off"],
        "next_time": row["next"].isoformat() if row["next"] else None,
        "business_date": row["business_date"].isoformat() if row["business_date"] else None,
        "state": row["state"],
        "job_id": ids.to_text("job", row["job_id"]) if row["job_id"] else None,
        "job_state": row["job_state"],
        "tries": row["attempts"],
        "left_out": row["left_out"],
        "reason": row["reason"],
        "retry_time": row["due"].isoformat() if row["state"] == "FAILED" else None,
    }
