"""`hrss jobs`, `hrss events` and what was parked: commands beside the API, printed for people or as JSON."""

# ruff: noqa: PLC0415 - as in ops.cli
from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from kernel import ids
from kernel.errors import DomainError, InvalidInput
from ops import servers
from ops.home import Home
from ops.servers import SERVICES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.jobs import Job
    from chassis.parked import Parked
    from ops.operate import Operator

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON.")]
ServiceName = Annotated[str, typer.Argument(help=", ".join(SERVICES))]
Number = Annotated[int, typer.Argument(min=1, help="编号 / number of the list.")]
JobId = Annotated[str, typer.Argument(help="job_…")]
_RANGE = re.compile(r"([0-9]{1,18}):([0-9]{1,18})", re.ASCII)
_HELP = {"help_option_names": ["-h", "--help"]}

console = Console()
jobs = typer.Typer(help="批量任务 / bulk jobs.", no_args_is_help=True, context_settings=_HELP)
events = typer.Typer(help="事件 / events.", no_args_is_help=True, context_settings=_HELP)
parked = typer.Typer(help="被搁置的事实 / parked facts.", no_args_is_help=True, context_settings=_HELP)
events.add_typer(parked, name="parked")


@jobs.command("list")
def list_jobs(*, limit: Annotated[int, typer.Option(min=1, max=500)] = 20, as_json: AsJson = False) -> None:
    """最近的任务 / the latest jobs."""
    found = _run(lambda operator: operator.list_jobs(limit))
    if as_json:
        return _print({"jobs": [_job(service, job) for service, job in found]})
    table = Table()
    for title in (
        "任务 / job",
        "服务 / service",
        "种类 / kind",
        "状态 / state",
        "完成 / done",
        "拒绝 / rejected",
        "开始 / from",
    ):
        table.add_column(title)
    for service, job in found:
        counts = (f"{job.done_count}/{job.total_count}", str(job.rejected_count))
        started = f"{job.created.astimezone():%m-%d %H:%M:%S}"
        table.add_row(ids.to_text("job", job.id), service, job.kind, job.state, *counts, started)
    console.print(table)
    return None


@jobs.command("show")
def show_job(job_id: JobId, *, as_json: AsJson = False) -> None:
    """一个任务 / one job."""
    service, job = _run(lambda operator: operator.find_job(ids.parse("job", job_id)))
    _show(_job(service, job), as_json=as_json)


@jobs.command("pause")
def pause_job(job_id: JobId, *, reason: Annotated[str, typer.Option(help="原因 / why.")] = "") -> None:
    """暂停 / take no further chunk; those that run end."""
    job = _run(lambda operator: operator.pause_job(ids.parse("job", job_id), reason))
    console.print(f"{job_id} {job.state}", highlight=False)


@jobs.command("resume")
def resume_job(job_id: JobId) -> None:
    """继续 / go on with a paused job, or once more with a failed one."""
    job = _run(lambda operator: operator.resume_job(ids.parse("job", job_id)))
    console.print(f"{job_id} {job.state}", highlight=False)


@events.command("republish")
def republish(
    service: ServiceName,
    *,
    since: Annotated[str, typer.Option(help="起始时刻 / from this instant on, RFC 3339.")] = "",
    sequence: Annotated[str, typer.Option("--range", help="序号范围 / range of sequence numbers, A:B.")] = "",
    key: Annotated[str, typer.Option(help="对象 / aggregate, person/per_….")] = "",
    as_json: AsJson = False,
) -> None:
    """重新发布事件 / say events again with the same ids; consumers that have them acknowledge them."""
    count = _run(
        lambda operator: operator.republish(
            _service(service), since=_instant(since), sequence=_range(sequence), key=key or None
        )
    )
    if as_json:
        return _print({"service": service, "republished": count})
    console.print(f"已重新发布 / republished: {count}", highlight=False)
    return None


@events.command("announce")
def announce() -> None:
    """重新公布机关、居民和年金参保关系 / announce participations of the late schemes again."""
    from ops import announce as command

    raise typer.Exit(command.main(Home.of(os.environ), os.environ, Console()))


@parked.command("list")
def list_parked(
    *,
    service: Annotated[str, typer.Option(help="只看一个服务 / of one service only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """被搁置的事实 / facts that could not take effect, oldest first."""
    found = []
    for name in (service,) if service else SERVICES:
        found += [_parked(name, one) for one in _run(_lister(name, limit))]
    if as_json:
        return _print({"parked": found})
    table = Table()
    for title in ("服务 / service", "编号 / number", "事件 / event", "对象 / key", "版本 / version", "原因 / reason"):
        table.add_column(title, overflow="fold")
    for one in found:
        row = (one["service"], one["number"], one["subject"], one["key"], one["version"], one["reason"])
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)
    return None


@parked.command("show")
def show_parked(service: ServiceName, number: Number, *, as_json: AsJson = False) -> None:
    """一个被搁置的事实，不含正文 / one parked fact, without its body."""
    one = _run(lambda operator: operator.show_parked(_service(service), number))
    _show(_parked(service, one), as_json=as_json)


@parked.command("replay")
def replay_parked(service: ServiceName, number: Number) -> None:
    """重新处理 / let it take effect now, after its cause is gone."""
    _run(lambda operator: operator.replay_parked(_service(service), number))
    console.print(f"已重新处理 / replayed: {service} {number}", highlight=False)


@parked.command("drop")
def drop_parked(
    service: ServiceName,
    number: Number,
    *,
    approve: Annotated[str, typer.Option(help="第二人批准的编号 / approval that a second person agrees to.")] = "",
    reason: Annotated[str, typer.Option(help="原因 / why.")] = "",
) -> None:
    """放弃，须第二人批准 / give it up; a second person has to agree."""
    if not approve:
        approval_id = _run(lambda operator: operator.ask_to_drop(_service(service), number))
        console.print(
            f"等待第二人批准 / a second person runs: hrss events parked drop {service} {number} "
            f"--approve {approval_id} --reason …",
            highlight=False,
            soft_wrap=True,
        )
        return
    _run(lambda operator: operator.approve_drop(_service(service), number, _uuid(approve), reason))
    console.print(f"已放弃 / dropped: {service} {number}", highlight=False)


def _run(work: Callable[[Operator], Awaitable[T]]) -> T:
    """Do one thing with the platform; a refusal is one line and exit code 1."""
    from ops.operate import Operator

    home = Home.of(os.environ)

    async def go() -> T:
        operator = Operator(servers.databases(home, os.environ), servers.broker(home, os.environ), home.keys)
        return await work(operator)

    try:
        return asyncio.run(go())
    except (DomainError, servers.ServerUnknown) as error:
        Console(stderr=True).print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _lister(service: str, limit: int) -> Callable[[Operator], Awaitable[list[Parked]]]:
    return lambda operator: operator.list_parked(_service(service), limit)


def _service(name: str) -> str:
    if name not in SERVICES:
        raise InvalidInput("SERVICE_UNKNOWN", f"no such service; there are {', '.join(SERVICES)}", field="service")
    return name


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InvalidInput("INSTANT_MALFORMED", "--since is an instant like 2026-08-01T00:00:00+08:00", field="since")
    return instant


def _range(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = _RANGE.fullmatch(text)
    if match is None:
        raise InvalidInput("RANGE_MALFORMED", "--range is two numbers like 1:500", field="range")
    return int(match[1]), int(match[2])


def _job(service: str, job: Job) -> dict[str, Any]:
    return {
        "job_id": ids.to_text("job", job.id),
        "service": service,
        "kind": job.kind,
        "state": job.state,
        "business_date": job.business_date.isoformat(),
        "started_by": job.started_by,
        "total_count": job.total_count,
        "done_count": job.done_count,
        "rejected_count": job.rejected_count,
        "skipped_count": job.skipped_count,
        "chunk_count": job.chunk_count,
        "message": job.message,
        "create_time": job.created.isoformat(),
        "end_time": job.ended.isoformat() if job.ended else None,
    }


def _parked(service: str, one: Parked) -> dict[str, Any]:
    return {
        "service": service,
        "number": one.number,
        "event_id": str(one.event_id) if one.event_id else None,
        "subject": one.subject,
        "key": f"{one.kind}/{one.key}" if one.kind else None,
        "version": one.version,
        "reason": one.reason,
        "tries": one.tries,
        "state": one.state,
        "create_time": one.created.isoformat(),
    }


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput("ID_MALFORMED", "--approve is the id that the first person got", field="approve") from None


def _show(fields: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        return _print(fields)
    table = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        table.add_row(f"[bold]{name}[/]", "" if value is None else str(value))
    console.print(table)
    return None


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
