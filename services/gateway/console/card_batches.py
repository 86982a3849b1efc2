"""Cards by the batch (批量制卡): a list or the whole register, its dry run, the second person, how far it is."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.page import FILE_MAX, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import BAD_REQUEST, sent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "cards by the batch"  # what the audit row says
_STATE, _SOURCE = "CARD_BATCH_STATE_", "CARD_BATCH_SOURCE_"
# What may be done next: state → action → the roles that the API lets in.
_SUPERVISOR, _BOTH = frozenset({"SUPERVISOR"}), frozenset({"CLERK", "SUPERVISOR"})
NEXT: Mapping[str, Mapping[str, frozenset[str]]] = {
    "PREPARED": {"approve": _SUPERVISOR, "cancel": _BOTH},
    "RUNNING": {"pause": _BOTH, "resume": _BOTH, "cancel": _BOTH},
}
ACTIONS = frozenset(action for states in NEXT.values() for action in states)
_BATCH = re.compile(r"cbt_[0-9a-f]{32}", re.ASCII)
_POST = ("GET", "POST")


async def batches(visit: Visit) -> Response:
    """Every batch; a clerk prepares one from a list, or from the register."""
    action, key = visit.form.get("action", ""), visit.form.get("key", "")

    async def of_file(_body: dict[str, Any]) -> Any:
        if "file" not in visit.files:
            raise ApiProblem(BAD_REQUEST, "", visit.t("error.title"), visit.t("lists.file_missing"))
        stored = await visit.upload("file")
        return await visit.post("/v1/card-batches", {"source": f"{_SOURCE}FILE", **stored}, key=key, purpose=PURPOSE)

    async def of_register(_body: dict[str, Any]) -> Any:
        return await visit.post("/v1/card-batches", {"source": f"{_SOURCE}REGISTER"}, key=key, purpose=PURPOSE)

    listed = await sent(visit, (), of_file, mine=action == "file")
    known = await sent(visit, (), of_register, mine=action == "register")
    made = listed.answer or known.answer
    if made is not None:
        return visit.go(f"/desk/card-batches/{made['batch']['batch_id']}")
    problem = listed.problem or known.problem
    found = await visit.get("/v1/card-batches", purpose=PURPOSE, page_size=50, page_token=visit.query.get("page", ""))
    return visit.render(
        "office/card_batches.html",
        problem.status if problem else 200,
        rows=found["batches"],
        following=found["next_page_token"],
        listed=listed.filled,
        known=known.filled,
        may_prepare=bool(_BOTH & visit.roles),
        problem=problem,
    )


async def batch(visit: Visit) -> Response:
    """One batch: its figures, what cannot be issued and why, the digest to approve, the job at work."""
    number = visit.request.path_params["batch_id"]
    if not _BATCH.fullmatch(number):
        return visit.render("missing.html", 404)
    path, action = f"/v1/card-batches/{number}", visit.form.get("action", "")

    async def do(body: dict[str, Any]) -> Any:
        if action == "approve":
            body |= {"digest": visit.form.get("digest", "")}
        return await visit.post(f"{path}:{action}", body, key=visit.form.get("key", ""), purpose=PURPOSE)

    moved = await sent(visit, (), do, mine=action in ACTIONS)
    if moved.answer is not None:
        return visit.go(f"/desk/card-batches/{number}?done={action}")
    found, rejects = await asyncio.gather(
        visit.get(path, purpose=PURPOSE),
        visit.get(f"{path}/rejects", purpose=PURPOSE, page_size=100, page_token=visit.query.get("page", "")),
    )
    one = found["batch"]
    shown = jobs.shown(one["job"], rejects["rejects"], rejects["next_page_token"])
    done = visit.query.get("done", "")
    return visit.render(
        "office/card_batch.html",
        moved.status,
        one=one,
        shown=shown,
        actions=[name for name in _offered(one) if _roles(one, name) & visit.roles],
        seen=visit.form.get("digest", ""),
        done=done if done in ACTIONS else "",
        problem=moved.problem,
    )


def _roles(one: Mapping[str, Any], action: str) -> frozenset[str]:
    return NEXT[one["state"].removeprefix(_STATE)][action]


def _offered(one: Mapping[str, Any]) -> list[str]:
    """What its state lets somebody do; a batch that waits goes on, one that runs is held."""
    names = list(NEXT.get(one["state"].removeprefix(_STATE), {}))
    is_at_work = one["job"]["state"] in jobs.RUNNING
    if one["state"] == f"{_STATE}RUNNING":
        names.remove("resume" if is_at_work else "pause")
    elif is_at_work:  # the dry run is not over
        return []
    return names


PAGES = (
    Page("/desk/card-batches", batches, STAFF, acr=2, methods=_POST, file_max=FILE_MAX),
    Page("/desk/card-batches/{batch_id}", batch, STAFF, acr=2, methods=_POST),
)
