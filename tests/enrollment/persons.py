"""What tests of PersonsService share: the second person, and requests that are valid but for what a test changes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from hrss.enrollment.v1 import persons_service_pb2 as pb
from tests.enrollment.builders import TODAY, day, number
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

SUPERVISOR = a_principal(["SUPERVISOR"], purpose="review", subject="idp|supervisor")
EVIDENCE = "CASE-2025-0001"
CHANGE, CORRECTION = pb.CHANGE_KIND_CHANGE, pb.CHANGE_KIND_CORRECTION
WAITING, DONE = pb.PERSON_REQUEST_STATE_WAITING, pb.PERSON_REQUEST_STATE_DONE


async def ask(bureau: Bureau, rpc: str, *, today: date = TODAY, by: Any = None, **values: Any) -> Any:
    """Call an RPC of PersonsService with a request id and an evidence of its own."""
    kind = getattr(pb, f"{rpc}Request")
    if "request_id" in kind.DESCRIPTOR.fields_by_name:
        values.setdefault("request_id", f"persons-{number()}")
    if "evidence_ref" in kind.DESCRIPTOR.fields_by_name:
        values.setdefault("evidence_ref", EVIDENCE)
    values = {name: day(value) if isinstance(value, date) else value for name, value in values.items()}
    options = {} if by is None else {"by": by}
    return await bureau.call(rpc, kind(**values), today=today, **options)


async def decide(bureau: Bureau, request: pb.PersonReview, *, approve: bool = True, by: Any = SUPERVISOR) -> Any:
    """The second person decides; the request afterwards."""
    reply = await ask(
        bureau, "DecidePersonRequest", by=by, person_request_id=request.person_request_id, approve=approve
    )
    return reply.request


async def approved(bureau: Bureau, rpc: str, **values: Any) -> Any:
    """Ask and approve."""
    request = (await ask(bureau, rpc, **values)).request
    assert request.state == WAITING
    return await decide(bureau, request)


async def history(bureau: Bureau, person_id: str, **days: date) -> list[Any]:
    """The versions of a record."""
    return list((await ask(bureau, "ListPersonHistory", person_id=person_id, **days)).versions)
