"""What the register and the money answer about one invented person and employer, as messages of the contract."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from chassis.values import to_date
from hrss.enrollment.v1 import (
    city_service_pb2,
    collection_service_pb2,
    cover_service_pb2,
    enrollment_pb2,
    enrollment_service_pb2,
    moving_service_pb2,
    persons_service_pb2,
)
from kernel import ids
from tests.portal.answers import EMPLOYER_NAME, PERSON
from tests.portal.register_citizen import (
    certificate,
    contributions,
    cover,
    explained,
    insurance,
    transfer,
)
from tests.portal.register_ids import (
    BILL,
    COVER,
    CREDIT_CODE,
    DIFFERENCE,
    EMPLOYER,
    FILE,
    JOB,
    NUMBER,
    OTHER,
    PLAN,
    PROJECT,
    REFUND,
    REQUEST,
    SCHEMES,
    STATEMENT,
    SUSPENSE,
    TRANSFER,
    month,
    yuan,
)
from tests.portal.register_office import (
    arrears,
    bill,
    employer,
    job,
    person,
    project,
    refund,
    rejects,
    statement,
    subtotals,
    suspense,
    versions,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.gateway.echo import Echo

__all__ = [
    "BILL",
    "CITIZEN_PAGES",
    "CLERK_PAGES",
    "COVER",
    "CREDIT_CODE",
    "DIFFERENCE",
    "EMPLOYER",
    "FILE",
    "JOB",
    "NUMBER",
    "OTHER",
    "PLAN",
    "PROJECT",
    "REFUND",
    "REQUEST",
    "SCHEMES",
    "STATEMENT",
    "SUPERVISOR_PAGES",
    "SUSPENSE",
    "TRANSFER",
    "arrears",
    "bill",
    "certificate",
    "contributions",
    "cover",
    "employer",
    "explained",
    "insurance",
    "job",
    "month",
    "person",
    "program",
    "project",
    "refund",
    "rejects",
    "statement",
    "subtotals",
    "suspense",
    "transfer",
    "versions",
    "yuan",
]


def program(echo: Echo) -> None:
    """Let the register know everything above."""
    answers: dict[str, Message | Any] = {
        "GetInsurance": insurance(),
        "ListContributions": contributions,
        "ExplainAccount": explained,
        "GetOverlap": cover_service_pb2.GetOverlapResponse(
            overlaps=[
                cover_service_pb2.Overlap(
                    kind=enrollment_pb2.COVER_KIND_RESIDENT,
                    months=[month(2025, 1), month(2025, 2)],
                    amount=yuan("166.67"),
                    statement=STATEMENT,
                )
            ]
        ),
        "GetCover": cover_service_pb2.GetCoverResponse(cover=cover()),
        "AssessCoverBill": cover_service_pb2.AssessCoverBillResponse(bill=bill()),
        "IssueInsuranceCertificate": moving_service_pb2.IssueInsuranceCertificateResponse(certificate=certificate()),
        "GetInsuranceCertificate": moving_service_pb2.GetInsuranceCertificateResponse(
            certificate=certificate(), person_id=PERSON
        ),
        "ListTransfers": moving_service_pb2.ListTransfersResponse(transfers=[transfer()]),
        "ListOpenTransfers": moving_service_pb2.ListOpenTransfersResponse(
            transfers=[transfer(), transfer("APPLIED", "IN")]
        ),
        "GetTransfer": moving_service_pb2.GetTransferResponse(transfer=transfer()),
        "GetEmployer": enrollment_service_pb2.GetEmployerResponse(employer=employer()),
        "FindEmployer": persons_service_pb2.FindEmployerResponse(
            employer=persons_service_pb2.ListedEmployer(employer=employer())
        ),
        "ListEmployers": persons_service_pb2.ListEmployersResponse(
            employers=[persons_service_pb2.ListedEmployer(employer=employer())] * 20, next_page_token="more"
        ),
        "ListEmployerHistory": persons_service_pb2.ListEmployerHistoryResponse(
            versions=[
                persons_service_pb2.EmployerVersion(name=EMPLOYER_NAME, division="320613", injury_class=2),
                persons_service_pb2.EmployerVersion(
                    start_month=month(2025, 1),
                    name=EMPLOYER_NAME,
                    division="320602",
                    injury_class=4,
                    evidence_ref="变更-7",
                ),
            ]
        ),
        "GetEmployerStatement": statement(),
        "ListArrears": arrears(),
        "ListDemands": collection_service_pb2.ListDemandsResponse(
            demands=[
                collection_service_pb2.Demand(
                    kind=collection_service_pb2.DEMAND_KIND_LATE_FEE,
                    state=enrollment_pb2.BILL_STATE_ISSUED,
                    total=yuan("74.00"),
                    paid=yuan("0.00"),
                    assess_date=to_date(date(2026, 12, 1)),
                )
            ]
        ),
        "GetBill": enrollment_service_pb2.GetBillResponse(bill=bill()),
        "ListBillLines": enrollment_service_pb2.ListBillLinesResponse(
            lines=[
                enrollment_pb2.BillLine(
                    person_id=PERSON, wage=yuan("6500.00"), base=yuan("6500.00"), statement=STATEMENT
                )
            ]
            * 30,
            next_page_token="more",
        ),
        "GetProject": cover_service_pb2.GetProjectResponse(project=project()),
        "GetProjectCover": cover_service_pb2.GetProjectCoverResponse(covered=True, premium_paid=True),
        "ListEnrollmentJobs": enrollment_service_pb2.ListEnrollmentJobsResponse(
            jobs=[job("check_books"), job("bill_run", "RUNNING")], next_page_token="more"
        ),
        "GetEnrollmentJob": enrollment_service_pb2.GetEnrollmentJobResponse(job=job()),
        "ListEnrollmentJobRejects": rejects(),
        "ImportRoster": enrollment_service_pb2.ImportRosterResponse(job=job()),
        "GetBillRun": city_service_pb2.GetBillRunResponse(
            bill_run=city_service_pb2.BillRun(
                month=month(2026, 11),
                job=job("bill_run", "RUNNING", rejected_count=0, total_count=200_000, done_count=84_000),
                bill_count=2_100,
                person_count=84_000,
                subtotals=subtotals(),
                total=yuan("208320000.00"),
                assess_date=to_date(date(2026, 11, 2)),
            )
        ),
        "ListReceiptRows": collection_service_pb2.ListReceiptRowsResponse(
            rows=[
                collection_service_pb2.ListReceiptRowsResponse.ReceiptRow(
                    line=3 + place,
                    receipt_no=f"32062503001234567{place}",
                    verdict=verdict,  # type: ignore[arg-type] # a number of the enum
                    code=code,
                    text_zh="没有这个单据号，已记入暂收款；请到“暂收款”里归到单据。" if code else "",
                    text_en="no document has this number" if code else "",
                )
                for place, (verdict, code) in enumerate(((1, ""), (2, ""), (3, "BILL_UNKNOWN"), (4, "AMOUNT_INVALID")))
            ]
        ),
        "ReadBillFile": collection_service_pb2.ReadBillFileResponse(
            file=collection_service_pb2.BillFile(
                file_id=FILE,
                month=month(2026, 11),
                digest="cd" * 32,
                row_count=1,
                total=yuan("10.00"),
                open=yuan("10.00"),
            ),
            content="#hrss-bills,1,2026-11\n",
        ),
        "ListSuspense": collection_service_pb2.ListSuspenseResponse(
            suspense=[
                suspense(),
                suspense(suspense_id=ids.to_text("sus", ids.new_id()), employer_id="", receipt_no="", reason=1),
            ]
        ),
        "ListRefunds": collection_service_pb2.ListRefundsResponse(refunds=[refund()]),
        "GetInstalmentPlan": collection_service_pb2.GetInstalmentPlanResponse(
            plan=collection_service_pb2.InstalmentPlan(
                plan_id=PLAN,
                employer_id=EMPLOYER,
                state=collection_service_pb2.PLAN_STATE_PREPARED,
                total=yuan("39600.00"),
                reason="季节性停产",
                instalments=[
                    collection_service_pb2.Instalment(
                        number=number,
                        due_date=to_date(date(2026, 12, 20)),
                        amount=yuan("13200.00"),
                        paid=yuan("0.00"),
                    )
                    for number in (1, 2, 3)
                ],
            )
        ),
        "GetFundBalances": collection_service_pb2.GetFundBalancesResponse(
            balances=[
                collection_service_pb2.GetFundBalancesResponse.Balance(
                    scheme=scheme, division=division, balance=yuan("1234567.89")
                )
                for scheme in SCHEMES
                for division in ("320602", "320613", "")
            ]
        ),
        "ListDifferenceLines": collection_service_pb2.ListDifferenceLinesResponse(
            lines=[
                collection_service_pb2.ListDifferenceLinesResponse.Line(
                    person_id=PERSON,
                    base_before=yuan("24396.00"),
                    base=yuan("25401.00"),
                    difference=yuan("241.20"),
                    account_difference=yuan("80.40"),
                    statement=STATEMENT,
                )
            ],
            total=yuan("241.20"),
        ),
        "GetPerson": enrollment_service_pb2.GetPersonResponse(person=person()),
        "ListPersonHistory": versions(),
        "GetDeath": persons_service_pb2.GetDeathResponse(
            death_date=to_date(date(2026, 9, 1)),
            source=persons_service_pb2.DEATH_SOURCE_MEDICAL,
            evidence_ref="死亡医学证明-7",
            inheritance_pending=True,
            balance=yuan("166399.67"),
        ),
        "ListDuplicates": persons_service_pb2.ListDuplicatesResponse(
            duplicates=[
                persons_service_pb2.Duplicate(
                    one=person(), other=person(OTHER), reason=persons_service_pb2.DUPLICATE_REASON_NAME_BIRTH_PHONE
                )
            ]
        ),
        "ListPersonRequests": persons_service_pb2.ListPersonRequestsResponse(
            requests=[
                persons_service_pb2.PersonReview(
                    person_request_id=REQUEST,
                    person_id=PERSON,
                    other_person_id=OTHER,
                    kind=persons_service_pb2.PERSON_REQUEST_KIND_MERGE,
                    state=persons_service_pb2.PERSON_REQUEST_STATE_WAITING,
                    evidence_ref="核查-118",
                    created="2026-11-23T01:00:00Z",
                )
            ]
        ),
    }
    for rpc, message in answers.items():
        echo.answer(rpc, message)


CITIZEN_PAGES = (
    "/insurance?in=2010-05",
    "/contributions/all",
    "/contributions?year=2025",
    "/account?year=2025",
    "/arrears",
    f"/covers/{COVER}",
    "/certificates",
    "/certificates/check",
    f"/certificates/{NUMBER}",
    "/transfers",
)
_EMPLOYER = f"/employers/{EMPLOYER}"
CLERK_PAGES = (
    "/employers",
    _EMPLOYER,
    f"{_EMPLOYER}/arrears",
    f"{_EMPLOYER}/bills/{BILL}",
    f"{_EMPLOYER}/statement",
    f"{_EMPLOYER}/history",
    f"{_EMPLOYER}/lists/roster",
    f"{_EMPLOYER}/lists/wages",
    f"{_EMPLOYER}/lists/jobs/{JOB}",
    f"{_EMPLOYER}/projects",
    f"{_EMPLOYER}/projects/{PROJECT}?on=2026-05-01",
    "/desk/office",
    "/desk/jobs",
    f"/desk/jobs/{JOB}",
    "/desk/bill-runs?month=2026-11",
    "/desk/receipts",
    f"/desk/receipts/{JOB}",
    f"/desk/bill-files/{FILE}",
    "/desk/suspense",
    f"/desk/suspense/{SUSPENSE}",
    "/desk/limits",
    f"/desk/limits/{DIFFERENCE}",
    "/desk/books",
    f"/desk/books?job={JOB}",
    f"/desk/people/{PERSON}/history?known_at=2026-07-01",
    "/desk/duplicates",
    "/desk/person-requests",
    "/desk/transfers",
    f"/desk/transfers/{TRANSFER}",
)
SUPERVISOR_PAGES = ("/desk/funds", "/desk/refunds", f"/desk/instalments/{PLAN}")
