"""The page that verifies cards: what it asks, what it says in words, and that a code is never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrss.card.v1 import card_service_pb2 as pb
from kernel.errors import Unavailable
from services.gateway.console.verify_card import DETAILS, RESULTS

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE = "NTS1:%69 VD92EX0"


def away_now(_request: object) -> pb.VerifyTokenResponse:
    """The service that cannot answer."""
    raise Unavailable("DATABASE_UNAVAILABLE", "away", retry_after=1)


async def test_a_code_is_verified_and_the_answer_is_in_words(site: Site) -> None:
    good = pb.VerifyTokenResponse(
        result=pb.VERIFY_RESULT_OK, detail=pb.VERIFY_DETAIL_OK, level=2, name_masked="赵**一", id_no_last4="0017"
    )
    used = pb.VerifyTokenResponse(result=pb.VERIFY_RESULT_SHOW_AGAIN, detail=pb.VERIFY_DETAIL_REPLAYED)
    async with site.browser("staff-clerk-1", acr=3) as clerk:
        form = await clerk.get("/verify-card")
        site.echo.answer("VerifyToken", good)
        accepted = await clerk.post("/verify-card", {"code": f"  {CODE}\r\n", "purpose": "medical"})
        site.echo.answer("VerifyToken", used)
        refused = await clerk.post("/verify-card", {"code": CODE, "purpose": "identity"})
        site.echo.answer("VerifyToken", away_now)
        away = await clerk.post("/verify-card", {"code": CODE, "purpose": "identity"})
        other = await clerk.post("/verify-card", {"code": CODE, "purpose": "espionage"})
    async with site.browser("staff-clerk-1", acr=3, language="zh") as clerk:
        site.echo.answer("VerifyToken", used)
        chinese = await clerk.post("/verify-card", {"code": CODE, "purpose": "identity"})

    assert "camera=(self)" in form.headers["permissions-policy"]
    assert "verify-card.js" in form.text
    sent = [one.request for one in site.echo.seen if one.method == "VerifyToken"]
    assert (sent[0].token, sent[0].purpose) == (CODE, "medical")
    assert "Accepted." in accepted.text
    assert "赵**一" in accepted.text
    assert "0017" in accepted.text
    assert "Ask the holder to show it again." in refused.text
    assert "It was used before." in refused.text
    assert "请持卡人重新出示。" in chinese.text
    assert "二维码已使用过。" in chinese.text
    assert away.status_code >= 500
    assert "Accepted." not in away.text
    assert other.status_code == 200
    assert len(sent) == 4
    for page in (accepted, refused, away, other):
        assert CODE not in page.text


async def test_others_are_not_offered_it(site: Site) -> None:
    async with site.browser("staff-supervisor-1", acr=3) as other:
        page = await other.get("/verify-card")

    assert page.status_code == 403
    assert "verify-card.js" not in page.text


async def test_every_result_has_its_words() -> None:
    results = {f"VERIFY_RESULT_{one}" for one in ("OK", "SHOW_AGAIN", "NOT_VALID", "CANNOT_CHECK", "REFUSED", "DENIED")}
    silent = {"VERIFY_DETAIL_UNSPECIFIED", "VERIFY_DETAIL_OK"}
    silent |= {"VERIFY_DETAIL_RATE_LIMITED", "VERIFY_DETAIL_VERIFIER_SUSPENDED"}  # of contracts, which staff have none

    assert set(RESULTS) == results
    assert set(DETAILS) == set(pb.VerifyDetail.keys()) - silent
