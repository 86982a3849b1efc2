"""The holder's own page of the card: what is offered in each state, what each button sends, and what happened."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from chassis.values import to_date
from hrss.card.v1 import card_pb2
from hrss.card.v1 import card_service_pb2 as pb
from services.card.domain.lifecycle import CardState
from services.card.messages.states import CARD_STATES
from tests.portal import answers

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_holder_is_offered_what_each_state_allows_and_told_what_happened(site: Site) -> None:
    links = {
        CardState.REQUESTED: ("prove",),
        CardState.VERIFYING: (),
        CardState.QUEUED: (),
        CardState.REJECTED: ("request",),
        CardState.ISSUED: ("activate", "loss", "cancel"),
        CardState.ACTIVE: ("code", "loss", "cancel"),
        CardState.LOCKED: ("reset", "loss", "cancel"),
        CardState.SUSPENDED_TEMP: ("lift", "cancel"),
        CardState.SUSPENDED_FORMAL: ("cancel",),
        CardState.REPLACED: ("request",),
        CardState.CANCELLED: ("request",),
        CardState.EXPIRED: ("request",),
    }
    told = pb.ListCardNoticesResponse(
        notices=[
            pb.CardNotice(card_id=answers.CARD, change=pb.CARD_CHANGE_SUSPENDED, cause=card_pb2.CARD_CAUSE_HOTLINE)
        ]
    )
    told.notices[0].business_date.MergeFrom(to_date(date(2026, 8, 3)))
    site.echo.answer("ListCardNotices", told)
    async with site.browser(await site.persona(), acr=4) as visitor:
        for state, offered in links.items():
            site.echo.answer("ListCards", pb.ListCardsResponse(cards=[answers.card(CARD_STATES[state])]))
            page = (await visitor.get("/card")).text
            found = {
                what
                for what in ("request", "prove", "activate", "code", "reset", "loss", "lift", "cancel")
                if f'href="/card/{what}"' in page
            }
            assert found == set(offered), state
            assert "reported lost (hotline 12333)" in page
        site.echo.answer("ListCards", pb.ListCardsResponse(cards=[answers.card(CARD_STATES[CardState.REQUESTED])]))
        proving = await visitor.post("/card/prove")
        site.echo.answer("ListCards", pb.ListCardsResponse(cards=[answers.card(CARD_STATES[CardState.LOCKED])]))
        reset = await visitor.post("/card/reset", {"pin": "385216", "again": "385216"})
        site.echo.answer("ListCards", pb.ListCardsResponse(cards=[answers.card(CARD_STATES[CardState.CANCELLED])]))
        asking = await visitor.post("/card/request")

    assert [one.headers["location"] for one in (proving, reset, asking)] == ["/card"] * 3
    sent = [seen.method for seen in site.echo.seen if seen.method in {"StartProof", "ResetPin", "RequestCard"}]
    assert sent == ["StartProof", "ResetPin", "RequestCard"]
