"""Verify a card's code at the counter (验码): pasted, read from a picture, or by the camera where the browser can.

The picture never leaves the browser: its script reads the code and fills the form, which works without script too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

CLERK = frozenset({"CLERK"})
PURPOSE = "counter visit"
CODE_MAX = 520
PURPOSES = {"identity": "verify.identity", "presence": "verify.presence", "medical": "verify.medical"}
RESULTS = {
    "VERIFY_RESULT_OK": ("verify.ok", "good"),
    "VERIFY_RESULT_SHOW_AGAIN": ("verify.show_again", "warn"),
    "VERIFY_RESULT_NOT_VALID": ("verify.not_valid", "bad"),
    "VERIFY_RESULT_CANNOT_CHECK": ("verify.cannot_check", "warn"),
    "VERIFY_RESULT_REFUSED": ("verify.refused", "bad"),
    "VERIFY_RESULT_DENIED": ("verify.denied", "bad"),
}
DETAILS = {
    "VERIFY_DETAIL_STALE": "verify.stale",
    "VERIFY_DETAIL_REPLAYED": "verify.replayed",
    "VERIFY_DETAIL_CLOCK_WRONG": "verify.clock_wrong",
    "VERIFY_DETAIL_WRONG_AUDIENCE": "verify.wrong_audience",
    "VERIFY_DETAIL_REVOKED": "verify.revoked",
    "VERIFY_DETAIL_SUSPENDED": "verify.suspended",
    "VERIFY_DETAIL_LOCKED": "verify.locked",
    "VERIFY_DETAIL_CARD_EXPIRED": "verify.card_expired",
    "VERIFY_DETAIL_UNKNOWN_KEY": "verify.unknown_key",
    "VERIFY_DETAIL_STATUS_UNKNOWN": "verify.status_unknown",
    "VERIFY_DETAIL_LIST_EXPIRED": "verify.status_unknown",
    "VERIFY_DETAIL_MALFORMED": "verify.malformed",
    "VERIFY_DETAIL_UNSUPPORTED_VERSION": "verify.unsupported_version",
    "VERIFY_DETAIL_BAD_ISSUER_SIGNATURE": "verify.bad_signature",
    "VERIFY_DETAIL_BAD_DEVICE_SIGNATURE": "verify.bad_signature",
    "VERIFY_DETAIL_KEY_WITHDRAWN": "verify.key_withdrawn",
    "VERIFY_DETAIL_PURPOSE_NOT_ALLOWED": "verify.purpose_not_allowed",
}


async def verify(visit: Visit) -> Response:
    """The form, and what a code came to; a code is used up, so it is not shown again."""
    found, problem = None, None
    purpose = visit.form.get("purpose", "identity")
    if visit.request.method == "POST" and purpose in PURPOSES:
        # The edge of a pasted text is the paste's; a code itself never ends in a blank.
        code = visit.form.get("code", "").strip("\r\n\t ")[: CODE_MAX + 1]
        body = {"token": code, "purpose": purpose}
        try:
            found = await visit.post("/v1/card-tokens:verify", body, key=visit.form.get("key", ""), purpose=PURPOSE)
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    text, tone = RESULTS.get(found["result"], ("verify.cannot_check", "warn")) if found else ("", "")
    page = visit.render(
        "desk/verify_card.html",
        problem.status if problem else 200,
        problem=problem,
        found=found,
        text=text,
        tone=tone,
        why=DETAILS.get(found["detail"], "") if found else "",
        purposes=PURPOSES,
        purpose=purpose,
        code_max=CODE_MAX,
    )
    page.headers["Permissions-Policy"] = "camera=(self), geolocation=(), microphone=(), payment=()"
    return page


PAGES = (Page("/verify-card", verify, roles=CLERK, acr=2, methods=("GET", "POST")),)
