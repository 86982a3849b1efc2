"""`hrss audit verify [SERVICE] [--against FILE]`: is the audit what it was, or which row is the first that is not?

It computes every hash anew over the services' databases with the rights of the services, and compares the signed
checkpoints with those kept outside: by default the files of this platform, better a copy from another machine.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import nats.errors
import nats.js.errors
from rich.console import Console

from chassis import audit_chain, audit_file, audit_keys, audit_verify, bus
from chassis.audit_chain import CheckpointWrong
from ops import servers
from ops.servers import SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chassis.audit_chain import Checkpoint
    from chassis.audit_verify import Report
    from ops.home import Home

BROKEN, NOT_VERIFIED = 1, 2
CONNECT_SECONDS = 10


class CannotLook(Exception):  # noqa: N818 - read as a sentence
    """Something that verification needs is not there; the text says what."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator wants to know.

    Args:
        service: One of them; empty for all.
        against: A copy of the checkpoints: a file, or a directory with a file for each service.
        with_stream: Compare with the stream instead of the files.
        as_json: For programs.
    """

    service: str = ""
    against: Path | None = None
    with_stream: bool = False
    as_json: bool = False


def main(home: Home, environ: Mapping[str, str], asked: Asked, console: Console) -> int:
    """Verify; 0 when everything is as it was, 1 when something is not, 2 when nobody could look."""
    return asyncio.run(run(home, environ, asked, console))


async def run(home: Home, environ: Mapping[str, str], asked: Asked, console: Console) -> int:
    """The same, inside a running event loop."""
    errors = Console(stderr=True)
    try:
        if asked.service and asked.service not in SERVICES:
            raise CannotLook(f"没有这个服务 / no such service; there are: {', '.join(SERVICES)}")
        databases = servers.databases(home, environ)
        keys_dir = Path(environ.get("HRSS_KEYS_DIR") or home.keys)
        wanted = [asked.service] if asked.service else list(SERVICES)
        if asked.with_stream:
            kept = await of_stream(servers.broker(home, environ).admin_url, wanted)
        else:
            kept = {one: outside_of(home, environ, one, asked.against) for one in wanted}
        reports = await _verify(databases.app_urls, keys_dir, kept)
    except (CannotLook, servers.ServerUnknown) as error:
        errors.print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        return NOT_VERIFIED
    except (OSError, asyncpg.PostgresError, nats.errors.Error) as error:
        text = "未能验证，请查看数据库、消息系统与密钥 / not verified: look at databases, broker and keys"
        errors.print(f"[red]✗[/] {text} ({type(error).__name__})", highlight=False, soft_wrap=True)
        return NOT_VERIFIED
    show(reports, console, as_json=asked.as_json)
    return BROKEN if any(one.fault for one in reports) else 0


async def of_stream(admin_url: str, services: Sequence[str]) -> dict[str, list[Checkpoint] | None]:
    """The checkpoints in the stream, by service; they have no marks, so they name a checkpoint and not its row."""
    client = await bus.connect([part.strip() for part in admin_url.split(",")], name="hrss-audit", attempts=1)
    found: dict[str, list[Checkpoint] | None] = {}
    try:
        stream = client.jetstream()
        for service in services:
            subject = f"hrss.audit.v1.{service}"
            try:
                last = (await stream.get_last_msg(bus.AUDIT_STREAM, subject)).seq or 0
            except nats.js.errors.NotFoundError:
                found[service] = None
                continue
            reading = await stream.subscribe(subject, stream=bus.AUDIT_STREAM, ordered_consumer=True)
            kept: dict[str, Checkpoint] = {}  # one that was said twice counts once
            place = 0
            while place < last:
                message = await reading.next_msg(timeout=CONNECT_SECONDS)
                place = message.metadata.sequence.stream
                signature = (message.headers or {}).get("Hrss-Signature", "")
                one = audit_chain.read(message.data.decode(), bytes.fromhex(signature))
                kept.setdefault(one.body, one)
            await reading.unsubscribe()
            found[service] = list(kept.values())
    except (CheckpointWrong, ValueError):
        raise CannotLook("消息流中有无法识别的检查点 / the stream holds something that is no checkpoint") from None
    finally:
        await client.close()
    return found


def outside_of(home: Home, environ: Mapping[str, str], service: str, against: Path | None) -> list[Checkpoint] | None:
    """The checkpoints that were kept outside; None where nothing was kept.

    Args:
        home: Of the platform.
        environ: May name the directory.
        service: Whose.
        against: A copy: a file, or a directory with a file for each service.

    Raises:
        CannotLook: The copy is not there or is not one of ours.
    """
    if against is not None and not against.is_dir():
        path = against
    else:
        path = audit_file.path_of(against or directory(home, environ), service)
    try:
        return audit_file.read_all(path)
    except FileNotFoundError:
        if against is None:
            return None
        raise CannotLook(f"没有文件 {path} / no such file") from None
    except (OSError, CheckpointWrong) as error:
        raise CannotLook(f"文件不可读 {path}：{error} / the file cannot be read") from None


def directory(home: Home, environ: Mapping[str, str]) -> Path:
    """Where the services of this platform write their checkpoints."""
    if named := environ.get("HRSS_AUDIT_DIR"):
        return Path(named)
    return Path(environ.get("HRSS_FILES_DIR") or home.files).parent / "audit"


def show(reports: list[Report], console: Console, *, as_json: bool) -> None:
    """What was found, for people or as JSON."""
    if as_json:
        sys.stdout.write(json.dumps([_plain(one) for one in reports], ensure_ascii=False, indent=2) + "\n")
        return
    for one in reports:
        if one.fault is not None:
            zh, en = one.fault.text(0), one.fault.text(1)
            console.print(f"[red]✗[/] {one.service}: {zh} / {en}", highlight=False, soft_wrap=True)
            continue
        outside = "未比对外部文件 / nothing outside" if one.outside is None else f"外部 / outside {one.outside}"
        console.print(
            f"[green]✓[/] {one.service}: 记录 / rows {one.rows}, 检查点 / checkpoints {one.checkpoints}, {outside}, "
            f"未签 / unsigned {one.unsigned}, 未封 / unsealed {one.unsealed}",
            highlight=False,
            soft_wrap=True,
        )


async def _verify(urls: Mapping[str, str], keys_dir: Path, kept: Mapping[str, list[Checkpoint] | None]) -> list[Report]:
    reports = []
    for service, outside in kept.items():
        connection = await asyncpg.connect(urls[service], timeout=CONNECT_SECONDS)
        try:
            keys = audit_keys.verifier(keys_dir, service)
            reports.append(await audit_verify.verify(connection, service, keys, outside))
        finally:
            await connection.close()
    return reports


def _plain(report: Report) -> dict[str, object]:
    content = {name: value for name, value in asdict(report).items() if name != "fault"}
    fault = report.fault
    if fault is not None:
        content["first_fault"] = {**asdict(fault), "zh": fault.text(0), "en": fault.text(1)}
    return {**content, "ok": fault is None}
