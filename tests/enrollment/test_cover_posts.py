"""Government posts: lines of their own for pension and annuity, accounts apart, and only the schemes that are named."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as register_pb
from kernel.calendar import Month
from kernel.errors import AlreadyExists, NotFound, Refused
from kernel.money import Money
from services.enrollment.domain.contributions import EmployerTerms, Scheme, contribute, determine_base
from tests.enrollment.builders import NOW, an_id_no, month
from tests.enrollment.cover_builders import a_government, a_post, a_request_id, months_of
from tests.enrollment.test_bills import POLICY, pay

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau


async def a_post_bill(bureau: Bureau, employer_id: str, value: Month = NOW, **kwargs: Any) -> model.Bill:
    """The month's bill of a government body."""
    request = pb.AssessPostBillRequest(request_id=a_request_id("posts"), employer_id=employer_id, month=month(value))
    bill: model.Bill = (await bureau.call("AssessPostBill", request, **kwargs)).bill
    return bill


async def test_a_post_pays_pension_and_annuity_into_accounts_of_their_own(bureau: Bureau) -> None:
    employer_id = await a_government(bureau)
    post = (await bureau.call("EnrollPost", a_post(employer_id))).enrollment

    bill = await a_post_bill(bureau, employer_id)

    assert [(one.scheme, one.employer.fen, one.employee.fen) for one in bill.subtotals] == [
        (model.SCHEME_UNEMPLOYMENT, 0, 0),
        (model.SCHEME_WORK_INJURY, 0, 0),
        (model.SCHEME_GOVERNMENT_PENSION, 128_000, 64_000),  # 16 % and 8 % of 8,000
        (model.SCHEME_OCCUPATIONAL_ANNUITY, 64_000, 32_000),  # 8 % and 4 %
    ]
    assert (bill.kind, bill.total.fen) == (model.BILL_KIND_GOVERNMENT, 288_000)
    lines = await bureau.call("ListBillLines", register_pb.ListBillLinesRequest(bill_id=bill.bill_id))
    assert [(one.code, one.amount.fen) for one in lines.lines[0].statement.lines] == [
        ("government_pension.employer", 128_000), ("government_pension.employee", 64_000),
        ("occupational_annuity.employer", 64_000), ("occupational_annuity.employee", 32_000),
    ]  # fmt: skip

    await pay(bureau, bill)

    accounts = await bureau.call("ListSchemeAccounts", pb.ListSchemeAccountsRequest(person_id=post.person_id))
    assert [(one.scheme, one.balance.fen) for one in accounts.accounts] == [
        (model.SCHEME_GOVERNMENT_PENSION, 64_000), (model.SCHEME_OCCUPATIONAL_ANNUITY, 96_000),
    ]  # fmt: skip
    assert [(entry.part, entry.amount.fen) for entry in accounts.accounts[1].entries] == [
        ("EMPLOYEE", 32_000), ("EMPLOYER", 64_000),
    ]  # fmt: skip
    with pytest.raises(NotFound, match="ACCOUNT_NOT_FOUND"):
        await bureau.call("GetAccount", register_pb.GetAccountRequest(person_id=post.person_id))
    assert await months_of(bureau, post.person_id) == [(str(NOW), 120, 800_000), (str(NOW), 9012, 800_000)]
    (said,) = await bureau.said(events.ContributionsSettled)
    assert [one.scheme for one in said.items] == [
        model.SCHEME_GOVERNMENT_PENSION, model.SCHEME_OCCUPATIONAL_ANNUITY,
    ]  # fmt: skip
    shown = await bureau.call("GetInsurance", register_pb.GetInsuranceRequest(person_id=post.person_id))
    assert {one.scheme for one in shown.participations} == {one.scheme for one in said.items}


async def test_named_schemes_stand_on_the_bill_of_those_who_have_them(bureau: Bureau) -> None:
    employer_id = await a_government(bureau)
    request = a_post(employer_id, with_unemployment=True, with_work_injury=True)
    with_more = (await bureau.call("EnrollPost", request)).enrollment
    without = (await bureau.call("EnrollPost", a_post(employer_id))).enrollment

    bill = await a_post_bill(bureau, employer_id)
    await pay(bureau, bill)

    assert [(one.employer.fen, one.employee.fen) for one in bill.subtotals] == [
        (4_000, 4_000), (3_200, 0), (256_000, 128_000), (128_000, 64_000),
    ]  # fmt: skip
    assert [scheme for _, scheme, _ in await months_of(bureau, with_more.person_id)] == [120, 210, 410, 9012]
    assert [scheme for _, scheme, _ in await months_of(bureau, without.person_id)] == [120, 9012]


async def test_a_post_that_is_not_paid_owes_its_own_schemes(bureau: Bureau) -> None:
    employer_id = await a_government(bureau)
    post = (await bureau.call("EnrollPost", a_post(employer_id, with_work_injury=True))).enrollment
    await a_post_bill(bureau, employer_id)

    owed = await bureau.call("ListContributions", register_pb.ListContributionsRequest(person_id=post.person_id))

    assert [(one.scheme, one.employer.fen, one.employee.fen) for one in owed.months] == [
        (model.SCHEME_GOVERNMENT_PENSION, 128_000, 64_000),
        (model.SCHEME_WORK_INJURY, 3_200, 0),
        (model.SCHEME_OCCUPATIONAL_ANNUITY, 64_000, 32_000),
    ]


async def test_who_cannot_have_a_post(bureau: Bureau) -> None:
    enterprise, government = await bureau.employer(), await a_government(bureau)
    id_no = an_id_no()
    await bureau.call("EnrollPost", a_post(government, id_no=id_no))

    with pytest.raises(Refused, match="EMPLOYER_KIND_WRONG"):
        await bureau.call("EnrollPost", a_post(enterprise))
    with pytest.raises(AlreadyExists, match="ALREADY_ENROLLED"):
        await bureau.call("EnrollPost", a_post(government, id_no=id_no))
    with pytest.raises(AlreadyExists, match="ALREADY_ENROLLED"):
        await bureau.enrolled(enterprise, id_no=id_no, name="周为民")
    with pytest.raises(Refused, match="EMPLOYER_IN_USE"):
        await bureau.call(
            "SetEmployerKind",
            pb.SetEmployerKindRequest(request_id="back", employer_id=government, kind=pb.EMPLOYER_KIND_ENTERPRISE),
        )
    with pytest.raises(Refused, match="NOBODY_INSURED"):
        await bureau.call(
            "AssessBill",
            register_pb.AssessBillRequest(request_id="wrong", employer_id=government, month=month(NOW)),
        )


async def test_a_post_ends_like_every_enrolment(bureau: Bureau) -> None:
    employer_id = await a_government(bureau)
    post = (await bureau.call("EnrollPost", a_post(employer_id))).enrollment

    await bureau.call(
        "EndEnrollment",
        register_pb.EndEnrollmentRequest(
            request_id="end", enrollment_id=post.enrollment_id, end_month=month(NOW), reason=model.END_REASON_RESIGNED
        ),
    )

    assert {one.scheme for one in await bureau.said(events.ParticipationEnded)} == {
        model.SCHEME_GOVERNMENT_PENSION, model.SCHEME_OCCUPATIONAL_ANNUITY,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("on", "rate"), [(Month(2019, 4), Decimal("0.20")), (Month(2019, 5), Decimal("0.16"))], ids=["before", "after"]
)
def test_the_rate_of_government_bodies_fell_in_may_2019(on: Month, rate: Decimal) -> None:
    base = determine_base(Money.yuan("8000"), on, POLICY.contributions)

    statement = contribute(base, [Scheme.GOVERNMENT_PENSION], POLICY.contributions, EmployerTerms(1))

    assert statement.amount("government_pension.employer") == base.base.times(rate)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wages=st.lists(st.integers(1, 5_000_000), min_size=1, max_size=3))
async def test_the_set_form_is_the_law_person_by_person(bureau: Bureau, wages: list[int]) -> None:
    employer_id = await a_government(bureau)
    for fen in wages:
        await bureau.call("EnrollPost", a_post(employer_id, wage={"fen": fen}))

    bill = await a_post_bill(bureau, employer_id)

    lines = (await bureau.call("ListBillLines", register_pb.ListBillLinesRequest(bill_id=bill.bill_id))).lines
    assert sum(line.statement.total.fen for line in lines) == bill.total.fen
    assert sorted(line.wage.fen for line in lines) == sorted(wages)
