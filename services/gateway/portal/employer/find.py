"""Find an employer: by its credit code, or in the list of a division."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.gateway.portal.employer.desk import STAFF
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_CODE = re.compile(r"[0-9A-Z]{18}", re.ASCII)
_DIVISION = re.compile(r"[0-9]{6}", re.ASCII)
_WIDE = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


async def find(visit: Visit) -> Response:
    """The list, or the employer whose code was asked for; a credit code names no person."""
    given = visit.query.get("code", "")
    code = given.translate(_WIDE).replace(" ", "").upper()
    problem = None
    if code and not _CODE.fullmatch(code):
        problem = ApiProblem(400, "", visit.t("employer.code_wrong"), visit.t("employer.code_hint"))
    elif code:
        try:
            found = await visit.get(f"/v1/employer-codes/{code}")
            return visit.go(f"/employers/{found['employer']['employer']['employer_id']}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    division = visit.query.get("division", "").strip()
    listed = await visit.get(
        "/v1/employers",
        division=division if _DIVISION.fullmatch(division) else "",
        with_deregistered=visit.query.get("ended") == "1",
        page_size=50,
        page_token=visit.query.get("page", ""),
    )
    return visit.render(
        "employer/find.html",
        problem.status if problem else 200,
        given=given,
        division=division,
        with_ended=visit.query.get("ended") == "1",
        employers=listed["employers"],
        following=listed["next_page_token"],
        problem=problem,
    )


PAGES = (Page("/employers", find, STAFF),)
