"""What is shown to whom: masks, other people's records, pages, audit of staff."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound
from services.enrollment.register import mask_id_no, mask_name
from tests.enrollment.builders import (
    CLERK,
    NOW,
    PARTNER,
    a_history_file,
    a_month_row,
    a_receipt,
    an_id_no,
    month,
)
from tests.enrollment.test_bills import a_bill
from tests.enrollment.test_history import NAME, bring_in, person_of
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau


@pytest.mark.parametrize(
    ("name", "masked"), [("李", "*"), ("张三", "张*"), ("欧阳静怡", "欧**怡"), ("阿卜杜·热合曼", "阿*****曼")]
)
def test_names_are_masked(name: str, masked: str) -> None:
    assert mask_name(name) == masked


def test_a_masked_number_hides_birth_and_sequence() -> None:
    assert mask_id_no("990000196603150014") == "990000***********4"


async def test_a_person_is_shown_masked(bureau: Bureau) -> None:
    id_no = an_id_no(date(1966, 3, 15))
    one = await bureau.enrolled(await bureau.employer(), id_no=id_no, name="欧阳静怡")

    person = (await bureau.call("GetPerson", pb.GetPersonRequest(person_id=one.person_id))).person

    assert (person.name_masked, person.id_no_masked) == ("欧**怡", f"990000***********{id_no[-1]}")
    assert (person.sex, person.birth_date.year, person.division) == (model.SEX_MALE, 1966, "990000")


async def test_a_person_is_found_by_number_and_name(bureau: Bureau) -> None:
    id_no = an_id_no()
    one = await bureau.enrolled(await bureau.employer(), id_no=id_no, name="王晓明")

    for name in ("", "王晓明"):
        found = await bureau.call("FindPerson", pb.FindPersonRequest(id_no=id_no, name=name), by=PARTNER)
        assert found.person.person_id == one.person_id
    for request in (pb.FindPersonRequest(id_no=id_no, name="王小明"), pb.FindPersonRequest(id_no=an_id_no())):
        with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
            await bureau.call("FindPerson", request, by=PARTNER)
    with pytest.raises(InvalidInput, match="ID_NO_INVALID"):
        await bureau.call("FindPerson", pb.FindPersonRequest(id_no="123"))


@pytest.mark.parametrize("rpc", ["GetPerson", "GetInsurance", "ListContributions", "GetAccount"])
async def test_another_persons_record_is_not_found(bureau: Bureau, rpc: str) -> None:
    employer_id = await bureau.employer()
    own, other = await bureau.enrolled(employer_id), await bureau.enrolled(employer_id)
    await bureau.call("RecordReceipt", a_receipt(await a_bill(bureau, employer_id)), by=PARTNER)
    citizen = a_principal(["CITIZEN"], person_id=ids.parse("per", own.person_id))
    request = getattr(pb, f"{rpc}Request")

    assert await bureau.call(rpc, request(person_id=own.person_id), by=citizen)
    refusals = []
    for person_id in (other.person_id, ids.to_text("per", ids.new_id())):
        with pytest.raises(NotFound) as refusal:
            await bureau.call(rpc, request(person_id=person_id), by=citizen)
        refusals.append((refusal.value.reason, refusal.value.message))
    assert refusals == [("PERSON_NOT_FOUND", "no such person")] * 2
    with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
        await bureau.call(rpc, request(person_id=ids.to_text("per", ids.new_id())))


async def test_staff_need_a_purpose_and_leave_a_trace(bureau: Bureau) -> None:
    id_no = an_id_no()
    one = await bureau.enrolled(await bureau.employer(), id_no=id_no)
    before = len(await bureau.rows("SELECT 1 FROM audit"))

    await bureau.call("GetPerson", pb.GetPersonRequest(person_id=one.person_id))
    await bureau.call("FindPerson", pb.FindPersonRequest(id_no=id_no))
    await bureau.call("GetEnrollment", pb.GetEnrollmentRequest(enrollment_id=one.enrollment_id))

    rows = await bureau.rows(
        "SELECT subject, purpose, person_id, detail::text FROM audit ORDER BY at OFFSET $1", before
    )
    assert [(row["subject"], row["purpose"], row["person_id"]) for row in rows] == [
        ("idp|clerk", "counter", ids.parse("per", one.person_id))
    ] * 3
    assert not any(id_no in row["detail"] for row in rows)
    with pytest.raises(InvalidInput, match="PURPOSE_REQUIRED"):
        await bureau.call("GetPerson", pb.GetPersonRequest(person_id=one.person_id), by=a_principal(["CLERK"]))


async def test_a_partner_needs_the_scope(bureau: Bureau) -> None:
    partner = a_principal(["PARTNER"], subject="x", client="x", scopes=["bills.read"])

    with pytest.raises(Forbidden, match="SCOPE_MISSING"):
        await bureau.call("GetPerson", pb.GetPersonRequest(person_id=ids.to_text("per", ids.new_id())), by=partner)


async def test_only_the_gateway_learns_the_last_four_characters(bureau: Bureau) -> None:
    id_no = an_id_no()
    one = await bureau.enrolled(await bureau.employer(), id_no=id_no)
    request = pb.GetApplicantRequest(person_id=one.person_id)
    gateway = a_principal(["PARTNER"], subject="gateway", client="gateway", scopes=["persons.applicant"])

    applicant = await bureau.call("GetApplicant", request, by=gateway)

    assert (applicant.last_four, applicant.person.person_id) == (id_no[-4:], one.person_id)
    for stranger, refusal in ((PARTNER, "SCOPE_MISSING"), (a_principal(["CLERK"]), "ROLE_NOT_ALLOWED")):
        with pytest.raises(Forbidden, match=refusal):
            await bureau.call("GetApplicant", request, by=stranger)


async def test_contributions_are_paged_newest_first_and_by_year(bureau: Bureau) -> None:
    id_no = an_id_no()
    rows = [
        a_month_row(id_no, NAME, f"{year}-{number:02d}", scheme=scheme)
        for year in (2023, 2024)
        for number in range(1, 13)
        for scheme in (110, 210, 410)
    ]
    await bring_in(bureau, a_history_file(rows))
    person_id = await person_of(bureau, id_no)
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(NOW))
    await a_bill(bureau, employer_id)

    shown = await pages(bureau, person_id, size=7)
    of_year = await pages(bureau, person_id, size=5, year=2023)

    keys = [(row.month.year, row.month.month, -row.scheme) for row in shown]
    assert len(keys) == 75
    assert keys == sorted(keys, reverse=True)
    assert {row.state for row in shown[:3]} == {model.CONTRIBUTION_STATE_UNPAID}
    assert len(of_year) == 36
    with pytest.raises(InvalidInput, match="YEAR_INVALID"):
        await pages(bureau, person_id, size=5, year=1800)


async def pages(bureau: Bureau, person_id: str, *, size: int, year: int = 0) -> list[model.ContributionMonth]:
    """All rows, page by page."""
    shown: list[model.ContributionMonth] = []
    token = ""
    while True:
        request = pb.ListContributionsRequest(person_id=person_id, year=year, page_size=size, page_token=token)
        page = await bureau.call("ListContributions", request, by=CLERK)
        shown += page.months
        token = page.next_page_token
        if not token:
            return shown


async def test_rejects_are_paged(bureau: Bureau) -> None:
    job = await bring_in(bureau, a_history_file([a_month_row("1", "x", "2024-01")] * 5))

    lines: list[int] = []
    token = ""
    while True:
        page = await bureau.call(
            "ListEnrollmentJobRejects",
            pb.ListEnrollmentJobRejectsRequest(job_id=job.job_id, page_size=2, page_token=token),
        )
        lines += [one.line for one in page.rejects]
        token = page.next_page_token
        if not token:
            break

    assert lines == [3, 4, 5, 6, 7]
    with pytest.raises(NotFound, match="JOB_NOT_FOUND"):
        await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=ids.to_text("job", ids.new_id())))
