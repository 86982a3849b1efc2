"""The card at the counter: what stands there in each state, and what each button sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hrss.card.v1 import card_service_pb2 as pb
from services.card.domain.lifecycle import CardState
from services.card.messages.states import CARD_STATES
from tests.console import shown_cases as cases
from tests.console.shown_cases import PERSON
from tests.portal.answers import CARD, card

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLERK, SUPERVISOR = "staff-clerk-1", "staff-supervisor-1"
HOME = f"/desk/cards/{PERSON}"
APPROVAL = "apr_" + "1" * 32


def posts(site: Site) -> list[tuple[str, Any]]:
    """What the API was asked to change: path and body."""
    return [(path, orjson.loads(body)) for method, path, _, body in site.overlay.seen if method == "POST"]


async def test_the_counter_offers_what_each_state_allows_and_sends_it(site: Site) -> None:
    site.overlay.answers["GET", f"/v1/persons/{PERSON}/card-notices"] = pb.ListCardNoticesResponse()
    buttons = {
        CardState.REQUESTED: ("prove",),
        CardState.VERIFYING: ("prove",),
        CardState.QUEUED: (),
        CardState.ISSUED: ("loss", "formal", "cancel"),
        CardState.ACTIVE: ("loss", "formal", "cancel"),
        CardState.LOCKED: ("loss", "formal", "cancel"),
        CardState.SUSPENDED_TEMP: ("lift", "formal", "cancel"),
        CardState.SUSPENDED_FORMAL: ("replace", "cancel"),
        CardState.CANCELLED: ("request",),
    }
    async with site.browser(CLERK, acr=3) as visitor:
        for state, offered in buttons.items():
            site.overlay.answers["GET", f"/v1/persons/{PERSON}/cards"] = pb.ListCardsResponse(
                cards=[card(CARD_STATES[state])]
            )
            page = (await visitor.get(HOME)).text
            found = {
                what
                for what in ("request", "prove", "loss", "lift", "formal", "replace", "cancel")
                if f'name="what" value="{what}"' in page
            }
            assert found == set(offered), state

        site.overlay.answers["GET", f"/v1/persons/{PERSON}/cards"] = pb.ListCardsResponse(cards=[card()])
        site.overlay.answers["POST", f"/v1/cards/{CARD}:report-formal-loss"] = pb.ReportFormalLossResponse()
        site.overlay.answers["POST", f"/v1/cards/{CARD}:prepare-cancel"] = pb.PrepareCancelResponse(
            approval_id=APPROVAL
        )
        gone = await visitor.post(HOME, {"what": "formal"})
        waits = await visitor.post(HOME, {"what": "cancel", "reason": "本人要求"})
    assert (gone.status_code, gone.headers["location"]) == (303, HOME)
    assert APPROVAL in waits.text
    assert posts(site)[-2:] == [
        (f"/v1/cards/{CARD}:report-formal-loss", {}),
        (f"/v1/cards/{CARD}:prepare-cancel", {"reason": "本人要求"}),
    ]


async def test_the_second_person_decides_and_a_refusal_is_said(site: Site) -> None:
    site.overlay.answers["GET", f"/v1/persons/{PERSON}/cards"] = pb.ListCardsResponse(cards=[card()])
    path = f"/v1/cards/{CARD}:decide-cancel"
    site.overlay.answers["POST", path] = cases.refusal(403, "SECOND_PERSON_REQUIRED")
    async with site.browser(SUPERVISOR, acr=3) as visitor:
        refused = await visitor.post(f"{HOME}/decision", {"approval_id": APPROVAL, "approve": "true"})
        site.overlay.answers["POST", path] = pb.DecideCancelResponse()
        done = await visitor.post(f"{HOME}/decision", {"approval_id": APPROVAL, "approve": "true"})

    assert "SECOND_PERSON_REQUIRED happened" in refused.text
    assert done.status_code == 303
    assert posts(site)[-1] == (path, {"approval_id": APPROVAL, "approve": True})
