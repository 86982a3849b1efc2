"""Processes die in the middle of a day's job and of an order, and nothing is done twice or lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
import uvicorn

from chassis import crash, transaction
from chassis.principal import Principal
from chassis.worker import Worker
from ops.simulators.national import National
from services.card.issuers import NationalIssuer
from services.card.operations import daily, ordering
from services.card.rpc import CardRpc
from services.card.service import open_office
from tests.card.builders import TODAY
from tests.card.test_life import prove, request_card, state
from tests.chassis.conditions import until
from tests.plugins.grpc_harness import serve
from tests.system.oracle_card import violations

if TYPE_CHECKING:
    from tests.card.builders import Desk

pytestmark = pytest.mark.slow
LAST_DAY = date(TODAY.year + 10, TODAY.month, TODAY.day)


async def die(desk: Desk, what: str, at: str = "", url: str = "") -> None:
    """Let a process die."""
    settings = desk.database.settings.model_copy(update={"test_crash": at})
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.card.victim", what, url],
        input=settings.model_dump_json(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == crash.EXIT_CODE, process.stderr


@pytest.mark.parametrize(("at", "expired"), [("before_commit", 0), ("after_commit", 2)])
async def test_a_day_that_is_killed_goes_on(desk: Desk, at: str, expired: int) -> None:
    cards = [await desk.active(await desk.person()) for _ in range(5)]
    office = open_office(desk.database.settings)
    await transaction.run(
        desk.database,
        lambda tx: daily.start(tx, office),
        principal=Principal.system("card"),
        today=LAST_DAY + timedelta(days=1),
    )

    await die(desk, "day", at)

    assert len(await desk.rows("SELECT 1 FROM card WHERE state = 'EXPIRED'")) == expired
    worker = Worker(desk.database, [daily.job(office, size=2)], lease_seconds=0.2)

    async def done() -> bool:
        while await worker.run_one():
            pass
        return {await state(desk, one) for one in cards} == {"EXPIRED"}

    await until(done)
    assert (await desk.said()).count("CardExpired") >= 1
    assert len(await desk.rows("SELECT 1 FROM audit WHERE action = 'card_expire'")) == 5
    assert await violations(desk.database.settings.database_owner_url) == []


async def test_an_order_whose_sender_dies_is_asked_for_and_issued_once(desk: Desk) -> None:
    national = National()
    server = uvicorn.Server(uvicorn.Config(national.app(), port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())

    async def is_up() -> bool:
        return server.started

    await until(is_up)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    office = replace(open_office(desk.database.settings), is_national=True)
    try:
        async with serve([CardRpc(office)], database=desk.database) as edge:
            there = replace(desk, running=edge)
            card_id = (await request_card(there, await desk.person())).card_id
            await prove(there, card_id)

        await die(desk, "order", url=url)

        assert (list(national.sent.values()), await state(desk, card_id)) == ([1], "QUEUED")
        issuer = NationalIssuer(url)
        assert await ordering.work_off_one(desk.database, office, issuer, ask_again=0)
        await issuer.close()
    finally:
        server.should_exit = True
        await running

    assert (list(national.sent.values()), await state(desk, card_id)) == ([1], "ISSUED")
    assert await violations(desk.database.settings.database_owner_url) == []
