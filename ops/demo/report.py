"""How the story ends: the pension's statement, the trace of its determination and the table of all comparisons."""

from __future__ import annotations

import asyncio
import time
from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.client import Json
    from ops.demo.life import Life
    from ops.demo.stage import Stage

TRACE_SECONDS = 20.0  # spans are exported in batches, a few seconds after the call
TRACE_NEEDS = frozenset({"gateway", "benefits", "enrollment"})


async def tell(stage: Stage, life: Life) -> bool:
    """Print statement, trace and table; whether everything agreed with the rules."""
    retiree = await stage.citizen(life.cast.retiree.name, life.cast.retiree.id_no)
    calculation = await retiree.get(f"/v1/benefits/{life.pension_id}/calculation")
    _print_statement(stage, calculation["statement"])
    await _print_trace(stage, life)
    return _print_checks(stage)


def _print_statement(stage: Stage, statement: Json) -> None:
    table = Table(title="养老金计算结果  Statement of the pension", box=box.SIMPLE_HEAD, title_style="bold")
    table.add_column("项目 Line", no_wrap=True)
    table.add_column("金额 Amount", justify="right", no_wrap=True)
    table.add_column("计算与依据  Formula, parameters (confidence), sources", ratio=1)
    for line in statement["lines"]:
        parameters = "; ".join(_parameters(line["parameters"]))
        text = "\n".join(part for part in (line["formula"], parameters, "依据 " + ", ".join(line["sources"])) if part)
        table.add_row(f"{line['title_zh']}\n[dim]{line['title_en']}[/]", line["amount"], text)
    table.add_section()
    note = "含暂定参数,公布后重新结算 provisional: settled again when published" if statement["provisional"] else ""
    table.add_row("[bold]合计 Total[/]", f"[bold]{statement['total']}[/]", note)
    stage.console.print("\n", table)


def _parameters(used: list[Json]) -> Iterator[str]:
    """Each parameter with its period and confidence; a series of one key in one breath."""
    for key, rows in groupby(used, key=lambda each: str(each["key"])):
        series = list(rows)
        words = sorted({each["confidence"] for each in series})
        if any(each["provisional"] for each in series):
            words.append("暂定 provisional")
        value = series[0]["value"] if len(series) == 1 else f"{len(series)} 个年度值 yearly values"
        periods = series[0]["effective"].split("..")[0] + ".." + series[-1]["effective"].split("..")[-1]
        yield f"{key} = {value} ({periods}, {', '.join(words)})"


async def _print_trace(stage: Stage, life: Life) -> None:
    assert life.pension is not None
    trace_id = life.pension.trace_id
    spans = await _spans(stage, trace_id)
    services = {span["service"] for span in spans}
    names = " ".join(span["name"] for span in spans)
    stage.check(
        "链路经过", "services on the trace", "benefits, enrollment, gateway", ", ".join(sorted(services & TRACE_NEEDS))
    )
    stage.check("链路含消息与数据库", "trace crosses NATS and PostgreSQL", "yes", _crosses(spans, names))
    tree = Tree(f"[bold]核定的调用链  Trace of the determination[/] {trace_id}  [dim]{stage.platform.traces_url}[/]")
    nodes: dict[str, Tree] = {}
    known = {span["span_id"] for span in spans}
    for span in sorted(spans, key=lambda each: each["start_us"]):
        parent = nodes.get(span["parent_id"], tree) if span["parent_id"] in known else tree
        took = span["duration_us"] / 1000
        nodes[span["span_id"]] = parent.add(
            f"[cyan]{span['service']}[/] {span['name']} [dim]{took:.1f} ms[/]", highlight=False
        )
    stage.console.print("\n", tree)


def _crosses(spans: list[Json], names: str) -> str:
    database = any("db.system.name" in span["attributes"] for span in spans)
    return "yes" if database and "BenefitStarted" in names else "no"


async def _spans(stage: Stage, trace_id: str) -> list[Json]:
    """The spans of the trace, once every service has exported its part."""
    limit = time.monotonic() + TRACE_SECONDS
    while True:
        answer = await stage.http.get(f"{stage.platform.traces_url}/api/traces/{trace_id}")
        spans: list[Json] = answer.json()["spans"] if answer.is_success else []
        if {span["service"] for span in spans} >= TRACE_NEEDS or time.monotonic() > limit:
            return spans
        await asyncio.sleep(0.3)


def _print_checks(stage: Stage) -> bool:
    wrong = [check for check in stage.checks if not check.holds]
    table = Table(title="与规则逐项核对  Compared with the rules", box=box.SIMPLE_HEAD, title_style="bold")
    for heading in ("核对项 What", "规则 Rules", "平台 Platform", ""):
        table.add_column(heading, overflow="fold")
    for check in stage.checks:
        mark = "[green]✓[/]" if check.holds else "[bold red]✗[/]"
        table.add_row(f"{check.what_zh} [dim]{check.what_en}[/]", check.expected, check.got, mark)
    stage.console.print("\n", table)
    total = len(stage.checks)
    if wrong:
        stage.console.print(
            f"[bold red]{len(wrong)} / {total} 项与规则不符[/]  {len(wrong)} of {total} checks differ from the rules"
        )
    else:
        stage.console.print(
            f"[bold green]全部 {total} 项与规则一致[/]  all {total} checks agree with the rules to the fen"
        )
    return not wrong
