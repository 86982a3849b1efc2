"""Every change of a case sent twice happens once; under the same id nothing else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel.errors import Refused
from tests.gateway_cases.office import CLERK, SECOND, SERVICE, unemployment_form
from tests.gateway_cases.services import DIGEST

if TYPE_CHECKING:
    from chassis.principal import Principal
    from tests.gateway_cases.office import Office

CHANGES = [method.name for method in SERVICE.methods if "request_id" in method.input_type.fields_by_name]


async def ready(office: Office, rpc: str) -> tuple[Any, Principal]:
    """A request of a change on a case that stands where it can follow, and who may ask for it."""
    citizen = office.citizen()
    if rpc == "CreateCase":
        return pb.CreateCaseRequest(code="BE10", form=unemployment_form(), submit=True), citizen
    is_draft = rpc in {"SubmitCase", "CorrectCase"}
    made = await office.create("BE10", citizen, unemployment_form(), submit=not is_draft)
    request: Any = getattr(pb, f"{rpc}Request")(case_no=made.case_no)
    if rpc == "CorrectCase":
        request.form.CopyFrom(unemployment_form(day=21))
    elif rpc == "DeclineCase":
        request.reason = "不属于受理范围"
    elif rpc == "RequestCorrection":
        request.points.append("请补充证明")
    elif rpc == "DecideCase":
        await office.accept(made.case_no)
        request.outcome, request.statement_digest = pb.CASE_OUTCOME_APPROVED, DIGEST
    elif rpc == "RetryCase":
        office.services.refuse("PrepareUnemployment", Refused("VOLUNTARY_END", "resigned"))
        await office.accept(made.case_no)
    staff = SECOND if rpc == "DecideCase" else CLERK
    return request, citizen if rpc in {"SubmitCase", "CorrectCase", "WithdrawCase"} else staff


@pytest.mark.parametrize("rpc", CHANGES)
async def test_a_change_sent_twice_happens_once(office: Office, rpc: str) -> None:
    request, by = await ready(office, rpc)

    first = await office.call(rpc, request, by, key="the-key")
    once = await office.rows("SELECT case_id, number, kind FROM case_event ORDER BY 1, 2")
    second = await office.call(rpc, request, by, key="the-key")

    assert second.case.case_no == first.case.case_no
    assert second.case.state == first.case.state
    assert await office.rows("SELECT case_id, number, kind FROM case_event ORDER BY 1, 2") == once


@pytest.mark.parametrize("rpc", CHANGES)
async def test_the_same_id_with_another_body_is_refused(office: Office, rpc: str) -> None:
    request, by = await ready(office, rpc)
    await office.call(rpc, request, by, key="the-key")
    other = type(request).FromString(request.SerializeToString())
    if rpc == "CreateCase":
        other.form.unemployment.payee.name = "别人"
    else:
        other.case_no = other.case_no.replace("-", "")

    with pytest.raises(Refused, match="REQUEST_ID_REUSED"):
        await office.call(rpc, other, by, key="the-key")
