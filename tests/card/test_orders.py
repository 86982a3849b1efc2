"""The national back end: a number for each order, an unknown outcome is asked for, and nothing is ordered twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as pb
from kernel.errors import Refused
from ops.simulators.national import National
from services.card.issuers import NationalIssuer
from services.card.operations import ordering
from services.card.rpc import CardRpc
from services.card.service import open_office
from services.card.settings import CardSettings
from tests.card.builders import CLERK, LOST, PIN
from tests.card.test_life import prove, request_card, state
from tests.plugins.grpc_harness import serve
from tests.system.oracle_card import violations

if TYPE_CHECKING:
    from services.card.operations.office import Office
    from tests.card.builders import Desk


def test_the_national_platform_needs_its_address() -> None:
    values = {"env": "dev", "service": "card", "database_url": "x", "nats_url": "x", "card_issuer": "national"}
    assert [name for name, _, _ in CardSettings.model_validate(values).problems()] == ["HRSS_CARD_NATIONAL_URL"]


async def test_orders_are_never_sent_blindly_and_answers_count_once(desk: Desk) -> None:
    office = replace(open_office(desk.database.settings), is_national=True)
    national = National()
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=national.app()))
    issuer = NationalIssuer("http://national", client)

    async def turn(*, of: Office = office) -> bool:
        return await ordering.work_off_one(desk.database, of, issuer, ask_again=0)

    async with serve([CardRpc(office)], database=desk.database) as running:
        there = replace(desk, running=running)
        asking, fed, declined = (
            await desk.person(),
            await desk.person(),
            await desk.person("钱示例拒"),
        )
        first = (await request_card(there, asking)).card_id
        assert (await prove(there, first)).state == model.CARD_STATE_QUEUED
        second = await there.announce(fed)  # the feed waits for the nation as well
        assert second.card_state == model.CARD_STATE_QUEUED
        third = (await request_card(there, declined, CLERK, "REC-2026-1")).card_id
        with pytest.raises(Refused):
            await there.do("ActivateCard", first, asking.acting(3), consent=True, pin=PIN)
        assert await violations(desk.database.settings.database_owner_url) == []

        national.drop, national.lose = 1, 1
        assert [await turn() for _ in range(8)] == [True] * 5 + [False] * 3
        # 1 never arrived, was asked for, was not there, was sent, and the answer got lost; then asked for again
        assert sorted(national.sent.values()) == [1, 1, 1]
        assert [await state(desk, one) for one in (first, second.card_id, third)] == ["ISSUED", "ISSUED", "REJECTED"]
        await there.announce(fed, LOST)

        gone = (
            await desk.person()
        )  # whoever sends dies before the answer is taken; the next process finds it by its number
        fourth = (await request_card(there, gone, CLERK, "REC-2026-2")).card_id
        national.lose = 1
        assert await turn()
        assert await state(desk, fourth) == "QUEUED"
        assert await ordering.work_off_one(desk.database, office, issuer) is False  # too soon to ask
        await turn(of=replace(office, is_production=True))  # production believes no simulator
        assert await state(desk, fourth) == "QUEUED"
        await turn()
        assert await state(desk, fourth) == "ISSUED"

    assert max(national.sent.values()) == 1
    rows = await desk.rows("SELECT external_sign_no, simulated, state FROM issue_order ORDER BY request_no")
    assert [(row["state"], row["simulated"]) for row in rows] == [
        ("ISSUED", True),
        ("ISSUED", True),
        ("DECLINED", True),
        ("ISSUED", True),
    ]
    assert len({row["external_sign_no"] for row in rows} - {None}) == 3
    assert await violations(desk.database.settings.database_owner_url) == []
    shown = (await desk.call("GetCard", pb.GetCardRequest(card_id=first), asking.acting(2))).card
    assert len(shown.issue_no) == 20
