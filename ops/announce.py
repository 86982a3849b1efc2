"""`hrss events announce`: participations that a service did not listen to before are announced again.

It runs as a process of its own beside the platform, with the rights of the service that owns them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from ops import servers
from ops.home import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.home import Home

FAILED = 2


def main(home: Home, environ: Mapping[str, str], console: Console) -> int:
    """Announce; 0 when all were, 2 when nobody could."""
    errors = Console(stderr=True)
    try:
        url = servers.databases(home, environ).app_urls["enrollment"]
    except servers.ServerUnknown as error:
        errors.print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        return FAILED
    others = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.enrollment.announce"],
        env={**others, "HRSS_DATABASE_URL": url, "HRSS_KEYS_DIR": environ.get("HRSS_KEYS_DIR") or str(home.keys)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        errors.print("[red]✗[/] 没有公布，请查看数据库 / not announced: look at the database", soft_wrap=True)
        sys.stderr.write(done.stderr[-2000:])
        return FAILED
    runs = done.stdout.strip()
    console.print(f"[green]✓[/] 已分 {runs} 批重新公布参保关系 / participations announced again in {runs} runs")
    return 0
