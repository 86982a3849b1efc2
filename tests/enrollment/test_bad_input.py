"""Whatever arrives is answered with a reason, never with a fault of ours: requests generated from the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel.errors import DomainError
from kernel.identity import make_credit_code
from tests.enrollment.builders import (
    CLERK,
    NOW,
    PARTNER,
    a_month_row,
    a_receipt,
    an_employer,
    an_enrollment,
    an_id_no,
    money,
    month,
    number,
)
from tests.enrollment.test_bills import an_assessment

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor

    from tests.enrollment.conftest import Bureau

SERVICE = pb.DESCRIPTOR.services_by_name["EnrollmentService"]
ZEROES = "0" * 32
TEXTS = [
    "", " ", "x" * 5000, "１２３", "1e3", "-0", "NaN", "\u0000", "\u200b", "\u202e", "'; DROP TABLE person; --",
    "=cmd|' /C calc'!A0", "<script>", "../../etc/passwd", "张三", "𠮷", "91320601MA0000001X", "320613", "1.00", "0.333",
    "2025-02-30", "TAX-1", "old", "old:system", "f" * 64, "per_../..", a_month_row("1", "a", "2024-01"),
    an_id_no(), an_id_no().lower(), make_credit_code("320601", "MA999999"),
    *(f"{prefix}_{ZEROES}" for prefix in ("per", "emp", "enr", "bil", "job", "upl")),
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 6, 8, 13, 1996, 2025, 2026, 9999, 10000, 2**31 - 1, -(2**31)]
AMOUNTS = [*NUMBERS, 100_000_000, 10**14, 2**63 - 1, -(2**63)]


def a_message(kind: Descriptor) -> st.SearchStrategy[Any]:
    """Messages of a type: each field absent, honest or nasty."""
    fields = {field.name: a_value(field) for field in kind.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: GetMessageClass(kind)(**values))


def a_value(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of a field."""
    if field.message_type is not None:
        return a_message(field.message_type)
    if field.enum_type is not None:
        return st.sampled_from([*field.enum_type.values_by_number, 99, -1])
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.sampled_from(TEXTS) | st.text(max_size=60)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    return st.sampled_from(AMOUNTS if field.type == FieldDescriptor.TYPE_INT64 else NUMBERS)


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: str(method.name))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_request_finds_a_fault(bureau: Bureau, method: MethodDescriptor, data: st.DataObject) -> None:
    request = data.draw(a_message(method.input_type))
    caller = PARTNER if method.name == "RecordReceipt" else CLERK
    if "request_id" in method.input_type.fields_by_name and data.draw(st.booleans()):
        request.request_id = f"fuzz-{number()}"

    try:
        await bureau.call(method.name, request, by=caller)
    except DomainError as refusal:
        assert refusal.reason not in {"", "UNKNOWN", "INTERNAL"}  # noqa: PT017 - most requests are refused, a few are good


async def honest_requests(bureau: Bureau) -> dict[str, Any]:
    """One request of each kind that would be taken, about one enrolment."""
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id)
    await bureau.enrolled(employer_id)
    bill = (await bureau.call("AssessBill", an_assessment(employer_id))).bill
    return {
        "RegisterEmployer": an_employer(),
        "EnrollPerson": an_enrollment(employer_id),
        "EndEnrollment": pb.EndEnrollmentRequest(
            request_id="e", enrollment_id=one.enrollment_id, end_month=month(NOW), reason=model.END_REASON_RESIGNED
        ),
        "DeclareWage": pb.DeclareWageRequest(
            request_id="w", enrollment_id=one.enrollment_id, from_month=month(NOW.next), wage=money("7000")
        ),
        "AssessBill": an_assessment(employer_id),
        "RecordReceipt": a_receipt(bill, amount=money("0.01")),
        "ListBills": pb.ListBillsRequest(employer_id=employer_id),
        "ListBillLines": pb.ListBillLinesRequest(bill_id=bill.bill_id),
        "ListContributions": pb.ListContributionsRequest(person_id=one.person_id),
        "SettleAccount": pb.SettleAccountRequest(request_id="s", person_id=one.person_id, retirement_month=month(NOW)),
        "CloseAccountYear": pb.CloseAccountYearRequest(request_id="c", year=2024),
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_an_honest_request_with_one_wrong_field_finds_no_fault(bureau: Bureau, data: st.DataObject) -> None:
    for rpc, request in (await honest_requests(bureau)).items():
        field = data.draw(st.sampled_from([one for one in request.DESCRIPTOR.fields if one.name != "request_id"]))
        request.ClearField(field.name)
        request.MergeFrom(type(request)(**{field.name: data.draw(a_value(field))}))
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = f"one-{number()}"

        try:
            await bureau.call(rpc, request, by=PARTNER if rpc == "RecordReceipt" else CLERK)
        except DomainError as refusal:
            assert refusal.reason not in {"", "UNKNOWN", "INTERNAL"}  # noqa: PT017 - some changes are harmless
