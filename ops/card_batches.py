"""`hrss card issue-batch`: prepares cards by the batch over the public API and shows how far they are.

The command is one person of two: it never approves. It may be stopped and given again at any time: the same file is the
same batch, and the command goes on to show it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ops.client import Gateway, IdentityProvider, Login, Problem, key_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ops.client import Json

PURPOSE = "batch issue of cards"
PATIENCE_SECONDS = 30.0  # a restart of anything takes less
POLL_SECONDS = 0.5
TOKEN_SECONDS = 3_600  # a token that was given is used as it is
REJECTS_SHOWN = 10
PREPARING, PREPARED, RUNNING, DONE, CANCELLED = (
    f"CARD_BATCH_STATE_{state}" for state in ("PREPARING", "PREPARED", "RUNNING", "DONE", "CANCELLED")
)
STANDS = {
    PREPARING: "试算 / looking at rows",
    PREPARED: "待复核 / waits for a second person",
    RUNNING: "制卡 / issuing",
    DONE: "完成 / done",
    CANCELLED: "已终止 / ended",
}
HELD = frozenset({"JOB_STATE_PAUSED", "JOB_STATE_FAILED"})


@dataclass(frozen=True)
class Place:
    """Where the platform is and as whom it is called."""

    gateway_url: str
    issuer: str = ""
    persona: str = ""
    token: str = ""


def main(place: Place, file: Path | None, console: Console, *, wait: bool, as_json: bool) -> int:
    """Prepare a batch or go on with the open one of the same file; 0 when it stands well, 1 when it ended otherwise."""
    content = file.read_bytes() if file is not None else None
    return asyncio.run(_main(place, content, console, wait=wait, as_json=as_json))


async def _main(place: Place, content: bytes | None, console: Console, *, wait: bool, as_json: bool) -> int:
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
        gateway = Gateway(place.gateway_url, http, patience=PATIENCE_SECONDS, is_traced=False)
        gateway = gateway.acting(_login(place, http), PURPOSE)
        try:
            batch = await begun(gateway, content)
            batch = await followed(gateway, batch, console, wait=wait, is_quiet=as_json)
            rejects = (await gateway.get(f"/v1/card-batches/{batch['batch_id']}/rejects", page_size=200))["rejects"]
        except Problem as refusal:
            console.print(f"[red]✗[/] {refusal}", highlight=False, markup=True)
            return 1
    if as_json:
        console.print_json(json.dumps(batch | {"rejects": rejects}))
    else:
        _show(batch, rejects, console)
    return 1 if batch["state"] == CANCELLED or batch["job"]["state"] in HELD else 0


async def begun(gateway: Gateway, content: bytes | None) -> Json:
    """The open batch of this file, or of the register, or a new one."""
    digest = hashlib.sha256(content).hexdigest() if content is not None else ""
    for one in (await gateway.get("/v1/card-batches", page_size=200))["batches"]:
        if one["file_digest"] == digest and one["state"] in {PREPARING, PREPARED, RUNNING}:
            return dict(one)
    body: Json = {"source": "CARD_BATCH_SOURCE_REGISTER"}
    if content is not None:
        upload = await gateway.upload(content)
        body = {"source": "CARD_BATCH_SOURCE_FILE", "upload_id": upload["upload_id"], "digest": upload["digest"]}
    key = key_of("card batch", body["upload_id"]) if content is not None else ""
    return dict((await gateway.post("/v1/card-batches", body, key=key))["batch"])


async def followed(gateway: Gateway, batch: Json, console: Console, *, wait: bool, is_quiet: bool) -> Json:
    """Look until nothing moves any more without a person; with `wait` also over the approval of the second person."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=is_quiet) as bar:
        task = bar.add_task(STANDS[batch["state"]], total=None)
        while True:
            batch = dict((await gateway.get(f"/v1/card-batches/{batch['batch_id']}"))["batch"])
            job = batch["job"]
            decided = job["done_count"] + job["rejected_count"] + job["skipped_count"]
            bar.update(task, description=STANDS[batch["state"]], total=job["total_count"] or None, completed=decided)
            is_waiting = batch["state"] == PREPARED and not wait
            if is_waiting or batch["state"] in {DONE, CANCELLED} or job["state"] in HELD:
                return batch
            await asyncio.sleep(POLL_SECONDS)


def _login(place: Place, http: httpx.AsyncClient) -> Login:
    if not place.token:
        return IdentityProvider(place.issuer, http, PATIENCE_SECONDS).persona(place.persona)

    async def given() -> Json:
        return {"access_token": place.token, "expires_in": TOKEN_SECONDS}

    return Login(given)


def _show(batch: Json, rejects: list[Json], console: Console) -> None:
    table = Table(title=f"{batch['batch_id']} · {STANDS[batch['state']]}", show_header=False)
    rows = [("行数 / rows", batch["row_count"])]
    if batch["state"] in {PREPARING, PREPARED}:
        rows += [
            ("可制卡 / ready", batch["ready_count"]),
            ("不能制卡 / rejected", batch["unfit_count"]),
            ("已有卡 / have a card", batch["there_count"]),
            *((f"未列入 / left out: {one['reason']}", one["person_count"]) for one in batch["left_out"]),
        ]
    else:
        rows += [
            ("已制卡 / issued", batch["issued_count"]),
            ("不能制卡 / rejected", batch["rejected_count"]),
            ("已有卡 / skipped", batch["skipped_count"]),
            ("未处理 / open", batch["open_count"]),
        ]
    for name, value in rows:
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)
    for one in rejects[:REJECTS_SHOWN]:
        console.print(f"{one['line']:>9} {one['code']} {one['text_zh']} / {one['text_en']}", highlight=False)
    if len(rejects) > REJECTS_SHOWN:
        console.print("…", highlight=False)
    if batch["state"] == PREPARED:
        console.print("请另一人在“批量制卡”复核 / a second person approves it in the office:", highlight=False)
        console.print(batch["digest"], highlight=False, soft_wrap=True)
    if batch["job"]["state"] in HELD:
        console.print(f"{batch['job']['state']} {batch['job']['message']}", highlight=False)
