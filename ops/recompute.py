"""`hrss benefits recompute ID`: is a benefit what its stored inputs give, by the law of then and by the law of today?

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
    from collections.abc import Iterator, Mapping

    from ops.home import Home

ASSUMED_VALUES = ROOT / "policy" / "local" / "demo.yaml"  # as `hrss up` gives them where nobody names others
DIFFERS, NOT_COMPUTED = 1, 2


def main(home: Home, environ: Mapping[str, str], benefit_id: str, console: Console, *, as_json: bool) -> int:
    """Compute again; 0 when the record stands, 1 when not, 2 when nobody could look."""
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


REFUSED = {
    "LAW_SNAPSHOT_MISSING": "当时的政策没有存档 / the law of then was not kept",
    "LAW_SNAPSHOT_TAMPERED": "存档的政策与其摘要不符 / the kept law is not the one that its hash names",
    "LAW_SNAPSHOT_UNREADABLE": "当前版本读不了当时的政策 / this release cannot read the law of then",
}
CAUSES = {
    "PUBLISHED": "当时的暂定值已正式公布 / a value that was provisional is published",
    "SETTLED": "个人账户利息已最终结算 / the interest of the account became final",
    "LAW_CHANGED": "已知的政策值有变动 / a value that was known is another one now",
    "NOT_SEPARATED": "存档本身未能核实，原因不作判断 / the record is not proved, so no cause is named",
}


def show(found: dict[str, Any], console: Console, *, as_json: bool) -> None:
    """What was found, for people or as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        return
    if "refused" in found:
        console.print(f"[red]✗[/] 无法验算 / not computed: {found}", highlight=False, soft_wrap=True)
        return
    for line in (*_then(found["as_decided"], found["release"]), *_today(found["today"])):
        console.print(line, highlight=False, soft_wrap=True)


def _then(then: dict[str, Any], release: str) -> Iterator[str]:
    by = f"{then['policy_version'][:12]}"
    match then["verdict"]:
        case "EQUAL":
            yield f"[green]✓[/] 按当时的政策 {by}：与存档一致，{then['checked']} 份计算 / by the law of then: equal"
        case "DIFFERS":
            yield f"[red]✗[/] 按当时的政策 {by}：与存档不一致 / by the law of then: not equal"
            yield _where(then["first_difference"])
            made = then["release"] or "未记录 / not recorded"
            yield f"  核定时的程序版本 / release then {made}, 现在 / now {release}"
        case _:
            refused = then["refused"]
            why = REFUSED.get(refused["reason"], refused["reason"])
            yield f"[yellow]![/] 按当时的政策 {by}：无法验算 / by the law of then: not computed: {why}"


def _today(today: dict[str, Any]) -> Iterator[str]:
    match today["verdict"]:
        case "EQUAL":
            yield "[green]✓[/] 按今天的政策：结果相同 / by the law of today: equal"
        case "DIFFERS":
            yield f"[yellow]![/] 按今天的政策：结果不同 / by the law of today: not equal: {CAUSES[today['cause']]}"
            yield _where(today["first_difference"])
            yield f"  每月 / a month {today['monthly_change']}, 已发月份 / months paid {today['owed']}"
            for one in today["changes"]:
                old, new = one["old"] or "—", one["new"] or "—"
                mark = "（暂定 / provisional）" if one["was_provisional"] else ""
                yield f"  {one['file']}: {one['key']}: {old}{mark} → {new}"
        case _:
            yield f"[yellow]![/] 按今天的政策：无法计算 / by the law of today: not computed: {today['refused']}"


def _where(one: dict[str, str]) -> str:
    return f"  {one['from_month']} {one['path']}: 存档 / stored {one['stored']}, 现算 / computed {one['computed']}"
