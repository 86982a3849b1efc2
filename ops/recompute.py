"""`hrss benefits recompute ID`: is the amount of a benefit what its stored inputs give, or where does it differ first?

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

from ops import servers
from ops.home import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.home import Home

ASSUMED_VALUES = ROOT / "policy" / "local" / "demo.yaml"  # as `hrss up` gives them where nobody names others
DIFFERS, NOT_COMPUTED = 1, 2


def main(home: Home, environ: Mapping[str, str], benefit_id: str, console: Console, *, as_json: bool) -> int:
    """Compute again; 0 when equal, 1 with the first difference, 2 when nobody could look."""
    errors = Console(stderr=True)
    try:
        url = servers.databases(home, environ).app_urls["benefits"]
    except servers.ServerUnknown as error:
        errors.print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        return NOT_COMPUTED
    told = {name: environ[name] for name in ("HRSS_POLICY_DIR", "HRSS_POLICY_LOCAL") if name in environ}
    if "HRSS_POLICY_LOCAL" not in told and environ.get("HRSS_ENV") != "prod" and ASSUMED_VALUES.exists():
        told["HRSS_POLICY_LOCAL"] = str(ASSUMED_VALUES)
    keys_dir = environ.get("HRSS_KEYS_DIR") or str(home.keys)
    others = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.benefits.recompute", benefit_id],
        env={**others, **told, "HRSS_DATABASE_URL": url, "HRSS_KEYS_DIR": keys_dir},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        errors.print("[red]✗[/] 没有验算，请查看数据库 / not computed: look at the database", soft_wrap=True)
        sys.stderr.write(done.stderr[-2000:])
        return NOT_COMPUTED
    show(json.loads(done.stdout), console, as_json=as_json)
    return done.returncode


def show(found: dict[str, Any], console: Console, *, as_json: bool) -> None:
    """What was found, for people or as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    elif "refused" in found:
        console.print(f"[red]✗[/] 无法验算 / not computed: {found}", highlight=False, soft_wrap=True)
    elif found["equal"]:
        console.print(f"[green]✓[/] 与存档一致，{found['checked']} 份计算 / equal, {found['checked']} statements")
    else:
        one = found["first_difference"]
        where = f"[red]✗[/] {one['from_month']} {one['path']}"
        console.print(f"{where}: 存档 / stored {one['stored']}, 现算 / computed {one['computed']}", soft_wrap=True)
