"""Whatever arrives at PersonsService is answered with a reason, never with a fault of ours."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrss.enrollment.v1 import persons_service_pb2 as pb
from kernel.errors import DomainError
from tests.enrollment.builders import NOW, TODAY, an_id_no, day, month, number
from tests.enrollment.persons import CHANGE, CORRECTION, EVIDENCE
from tests.enrollment.test_bad_input import a_message, a_value

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

    from tests.enrollment.conftest import Bureau

SERVICE = pb.DESCRIPTOR.services_by_name["PersonsService"]


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: str(method.name))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_request_finds_a_fault(bureau: Bureau, method: MethodDescriptor, data: st.DataObject) -> None:
    request = data.draw(a_message(method.input_type))
    if "request_id" in method.input_type.fields_by_name:
        request.request_id = f"fuzz-{number()}"

    await no_fault(bureau, method.name, request)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_an_honest_request_with_one_wrong_field_finds_no_fault(bureau: Bureau, data: st.DataObject) -> None:
    employer_id = await bureau.employer()
    one, other = await bureau.enrolled(employer_id), await bureau.enrolled(await bureau.employer())
    person = {"person_id": one.person_id, "evidence_ref": EVIDENCE}
    honest: list[tuple[str, Any]] = [
        ("ChangePerson", pb.ChangePersonRequest(**person, kind=CORRECTION, id_no=an_id_no(), name="李四")),
        ("ChangePerson", pb.ChangePersonRequest(**person, kind=CHANGE, effective_date=day(TODAY), phone="13812345678")),
        ("MergePersons", pb.MergePersonsRequest(**person, other_person_id=other.person_id)),
        (
            "RecordDeath",
            pb.RecordDeathRequest(**person, death_date=day(date(2025, 3, 1)), source=pb.DEATH_SOURCE_COURT),
        ),
        ("ListPersonHistory", pb.ListPersonHistoryRequest(person_id=one.person_id, as_of=day(TODAY))),
        (
            "ChangeEmployer",
            pb.ChangeEmployerRequest(
                employer_id=employer_id, start_month=month(NOW), injury_class=5, evidence_ref=EVIDENCE
            ),
        ),
        ("DeregisterEmployer", pb.DeregisterEmployerRequest(employer_id=employer_id, evidence_ref=EVIDENCE)),
    ]
    for rpc, request in honest:
        field = data.draw(st.sampled_from([field for field in request.DESCRIPTOR.fields if field.name != "request_id"]))
        request.ClearField(field.name)
        request.MergeFrom(type(request)(**{field.name: data.draw(a_value(field))}))
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = f"one-{number()}"
        await no_fault(bureau, rpc, request)


async def no_fault(bureau: Bureau, rpc: str, request: Any) -> None:
    """Call, and hold that a refusal has a reason."""
    try:
        await bureau.call(rpc, request)
    except DomainError as refusal:
        assert refusal.reason not in {"", "UNKNOWN", "INTERNAL"}  # noqa: PT017 - most requests are refused, a few are good
