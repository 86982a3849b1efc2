"""`hrss reconcile SERVICE`: proves the books of a service and names the first difference.

The rules belong to the service; it runs as a process of its own beside the platform, with the rights of the service.
"""

# ruff: noqa: S603 - it runs a module that it names itself
from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ops import servers
from ops.home import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.home import Home

BOOKS = ("enrollment", "benefits")  # services that keep a ledger and can prove it
BROKEN = 1
NOT_PROVED = 2


def main(home: Home, environ: Mapping[str, str], service: str, console: Console, *, as_json: bool) -> int:
    """Prove the books; 0 when everything holds, 1 when something does not, 2 when nobody could look."""
    errors = Console(stderr=True)
    if service not in BOOKS:
        errors.print(f"[red]✗[/] 没有账务可对 / this service keeps no books; there are: {', '.join(BOOKS)}")
        return NOT_PROVED
    try:
        url = servers.databases(home, environ).app_urls[service]
    except servers.ServerUnknown as error:
        errors.print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        return NOT_PROVED
    keys_dir = environ.get("HRSS_KEYS_DIR") or str(home.keys)
    others = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}", "reconcile"],
        env={**others, "HRSS_DATABASE_URL": url, "HRSS_KEYS_DIR": keys_dir},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, BROKEN} or not done.stdout:
        errors.print("[red]✗[/] 对账没有完成，请查看数据库 / not proved: look at the database", soft_wrap=True)
        sys.stderr.write(done.stderr[-2000:])
        return NOT_PROVED
    show(json.loads(done.stdout), console, as_json=as_json)
    return done.returncode


def show(found: dict[str, Any], console: Console, *, as_json: bool) -> None:
    """What was found, for people or as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        return
    if not found["broken"]:
        console.print(f"[green]✓[/] 账实相符，{found['rules']} 条规则 / the books hold, {found['rules']} rules")
        return
    table = Table()
    for title in ("规则 / rule", "说明 / what", "处数 / count", "第一处 / first"):
        table.add_column(title, overflow="fold")
    for one in found["broken"]:
        table.add_row(one["code"], f"{one['zh']} / {one['en']}", str(one["count"]), one["first"])
    console.print(table)
