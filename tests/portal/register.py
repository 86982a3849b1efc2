"""What the register and the money answer about one invented person and employer, as messages of the contract."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from chassis.values import to_date, to_money, to_month, to_statement
from hrss.enrollment.v1 import (
    city_service_pb2,
    collection_service_pb2,
    cover_service_pb2,
    enrollment_pb2,
    enrollment_service_pb2,
    moving_service_pb2,
    persons_service_pb2,
)
from hrss.type.v1 import job_pb2, money_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from tests.portal.answers import EMPLOYER_NAME, PENSION, PERSON

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.gateway.echo import Echo

EMPLOYER, BILL, COVER = (ids.to_text(kind, ids.new_id()) for kind in ("emp", "bil", "cov"))
JOB, PROJECT, SUSPENSE = (ids.to_text(kind, ids.new_id()) for kind in ("job", "prj", "sus"))
TRANSFER, PLAN, REFUND, DIFFERENCE = (ids.to_text(kind, ids.new_id()) for kind in ("trf", "pln", "rfd", "dif"))
OTHER, REQUEST, FILE = (ids.to_text(kind, ids.new_id()) for kind in ("per", "prq", "fil"))
NUMBER = "7K2M9QX4T8W3H6PA"
CREDIT_CODE = "91320600MA1NT00083"
SCHEMES = (
    enrollment_pb2.SCHEME_EMPLOYEE_PENSION,
    enrollment_pb2.SCHEME_UNEMPLOYMENT,
    enrollment_pb2.SCHEME_WORK_INJURY,
)
STATEMENT = to_statement(PENSION, "0123456789abcdef")


def yuan(amount: str) -> Any:
    """An amount."""
    return to_money(Money.yuan(amount))


def month(year: int, number: int) -> Any:
    """A month."""
    return to_month(Month(year, number))


def insurance() -> enrollment_service_pb2.GetInsuranceResponse:
    """Two employers with two years between them, then a cover as a flexible worker; a project and a platform."""
    first, last = ids.to_text("emp", ids.new_id()), EMPLOYER
    ended = enrollment_pb2.PARTICIPATION_STATE_ENDED
    rows = [
        (scheme, employer, state, start, end, reason)
        for scheme in SCHEMES
        for employer, state, start, end, reason in (
            (last, ended, (2008, 3), (2024, 6), enrollment_pb2.END_REASON_RESIGNED),
            (first, ended, (1996, 7), (2005, 12), enrollment_pb2.END_REASON_CONTRACT_EXPIRED),
        )
    ]
    found = enrollment_service_pb2.GetInsuranceResponse(
        participations=[
            enrollment_pb2.Participation(
                scheme=scheme,
                employer_id=employer,
                state=state,
                start_month=month(*start),
                end_month=month(*end),
                end_reason=reason,
            )
            for scheme, employer, state, start, end, reason in rows
        ],
        months=[
            enrollment_service_pb2.SchemeMonths(scheme=SCHEMES[0], paid_months=310, deemed_months=12),
            enrollment_service_pb2.SchemeMonths(scheme=SCHEMES[1], paid_months=300),
        ],
        employments=[
            enrollment_pb2.Employment(employer_id=last, employer_name=EMPLOYER_NAME, start_month=month(2008, 3)),
            enrollment_pb2.Employment(
                employer_id=first, employer_name="南通从前机械有限公司", start_month=month(1996, 7)
            ),
        ],
        covers=[cover()],
        projects=[enrollment_pb2.ProjectCover(name="江海大道改造工程", from_date=to_date(date(2026, 3, 1)))],
        platforms=[enrollment_pb2.PlatformCover(month=month(2026, 5), days=12, orders=340)],
    )
    found.participations.append(
        enrollment_pb2.Participation(
            scheme=SCHEMES[0],
            cover_id=COVER,
            state=enrollment_pb2.PARTICIPATION_STATE_ACTIVE,
            start_month=month(2025, 1),
        )
    )
    return found


def cover() -> enrollment_pb2.Cover:
    """A flexible worker since 2025 who rested for three months."""
    return enrollment_pb2.Cover(
        cover_id=COVER,
        person_id=PERSON,
        kind=enrollment_pb2.COVER_KIND_FLEXIBLE,
        division="320602",
        start_month=month(2025, 1),
        state=enrollment_pb2.PARTICIPATION_STATE_ACTIVE,
        bases=[enrollment_pb2.DeclaredWage(from_month=month(2025, 1), wage=yuan("6500.00"))],
        suspensions=[enrollment_pb2.Suspension(from_month=month(2025, 4), until_month=month(2025, 6))],
    )


def contributions(request: Any) -> enrollment_service_pb2.ListContributionsResponse:
    """Thirty years by pages of 200: months of 1996 to 2005 and 2008 to 2026, one unpaid."""
    years = [request.year] if request.year else range(2026, 1995, -1)
    rows = [
        enrollment_pb2.ContributionMonth(
            month=month(year, number),
            scheme=scheme,
            base=yuan("6500.00"),
            employer=yuan("1040.00"),
            employee=yuan("520.00"),
            state=enrollment_pb2.CONTRIBUTION_STATE_UNPAID
            if (year, number) == (2026, 2)
            else enrollment_pb2.CONTRIBUTION_STATE_PAID,
            source="bill:bil_1" if year > 2020 else "import:1",
        )
        for year in years
        if not 2006 <= year <= 2007
        for number in range(12 if year < 2026 else 9, 0, -1)
        for scheme in SCHEMES
    ]
    start = int(request.page_token or 0)
    end = start + request.page_size
    return enrollment_service_pb2.ListContributionsResponse(
        months=rows[start:end], next_page_token=str(end) if end < len(rows) else ""
    )


def explained(request: Any) -> moving_service_pb2.ExplainAccountResponse:
    """A year of the account with its entries."""
    entries = [
        moving_service_pb2.AccountEntry(
            booked_month=month(request.year or 2025, number),
            for_month=month(request.year or 2025, number),
            title_zh="个人缴费",
            title_en="Contribution",
            amount=yuan("520.00"),
            source="bill:bil_1",
        )
        for number in range(1, 13)
    ]
    year = moving_service_pb2.AccountStatementYear(
        year=request.year or 2025,
        statement=STATEMENT,
        rate=money_pb2.Rate(decimal="0.0250"),
        provisional=True,
        entries=entries,
        expected_interest=yuan("3120.45"),
    )
    return moving_service_pb2.ExplainAccountResponse(balance=yuan("166399.67"), years=[year])


def certificate(kind: str = "CONTRIBUTIONS") -> moving_service_pb2.InsuranceCertificate:
    """A certificate with its facts."""
    facts: dict[str, Any] = {
        "as_of": "2026-11-23",
        "form": "1",
        "kind": kind,
        "period": {"first": "", "last": "2026-11"},
        "person": {"id_no": "990000199003151234", "name": "张示例"},
    }
    if kind == "CONTRIBUTIONS":
        facts["months"] = [
            {
                "base": "6500.00",
                "employee": "520.00",
                "employer": "1040.00",
                "first_month": "2025-01",
                "last_month": "2026-10",
                "months": "22",
                "scheme": scheme,
                "state": "PAID",
            }
            for scheme in ("110", "210", "410")
        ]
    else:
        facts |= {
            "insured": "yes",
            "employments": [{"employer": EMPLOYER_NAME, "start_month": "2008-03", "end_month": ""}],
            "schemes": [
                {
                    "scheme": "110",
                    "first_month": "1996-07",
                    "last_month": "2026-10",
                    "paid_months": "310",
                    "deemed_months": "12",
                }
            ],
        }
    text = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()

    return moving_service_pb2.InsuranceCertificate(
        number=NUMBER, facts=text, digest=hashlib.sha256(text.encode()).hexdigest(), as_of=to_date(date(2026, 11, 23))
    )


def transfer(state: str = "FORM", direction: str = "OUT") -> moving_service_pb2.Transfer:
    """A relation that moves, with its steps so far."""
    names = ("APPLIED", "LETTER", "FORM", "FUNDS", "DONE")
    steps = names[: names.index(state) + 1]
    return moving_service_pb2.Transfer(
        transfer_id=TRANSFER,
        person_id=PERSON,
        direction=enrollment_pb2.TransferDirection.Value(f"TRANSFER_DIRECTION_{direction}"),
        state=moving_service_pb2.TransferState.Value(f"TRANSFER_STATE_{state}"),
        other_area="310115",
        temporary=True,
        steps=[
            moving_service_pb2.TransferStep(
                state=moving_service_pb2.TransferState.Value(f"TRANSFER_STATE_{name}"),
                day=to_date(date(2026, 10, 8 + place)),
                document_no="" if name == "APPLIED" else f"NT-2026-{place}",
            )
            for place, name in enumerate(steps)
        ],
        years=[
            moving_service_pb2.TransferYear(
                year=2024,
                first_month=1,
                month_count=6,
                base=yuan("6500.00"),
                state=enrollment_pb2.CONTRIBUTION_STATE_PAID,
            )
        ],
        statement=STATEMENT,
    )


def employer() -> enrollment_pb2.Employer:
    """The employer."""
    return enrollment_pb2.Employer(
        employer_id=EMPLOYER,
        credit_code=CREDIT_CODE,
        name=EMPLOYER_NAME,
        division="320613",
        injury_class=2,
        injury_step=money_pb2.Rate(decimal="1.00"),
        register_date=to_date(date(2015, 4, 1)),
    )


def statement() -> collection_service_pb2.GetEmployerStatementResponse:
    """Twelve months of bills, the last one open and the one before paid in part."""
    states = {12: ("ISSUED", 0), 11: ("PART_PAID", 1_000_000)}
    bills = []
    for number in range(1, 13):
        state, paid = states.get(number, ("PAID", 2_480_000))
        bills.append(
            {
                "bill_id": BILL,
                "month": f"2026-{number:02}",
                "number": 1,
                "state": state,
                "persons": 128,
                "total_fen": 2_480_000,
                "paid_fen": paid,
                "due_date": f"2026-{number:02}-25" if number < 12 else None,
            }
        )
    plain = {
        "schema": "hrss-employer-statement/1",
        "employer": {"employer_id": EMPLOYER, "credit_code": CREDIT_CODE},
        "first_month": "2026-01",
        "last_month": "2026-12",
        "as_of": "2026-12-23",
        "bills": bills,
        "demands": [
            {
                "demand_id": ids.to_text("dem", ids.new_id()),
                "kind": "LATE_FEE",
                "bill_id": BILL,
                "month": "2026-11",
                "total_fen": 7_400,
                "paid_fen": 0,
            }
        ],
        "receipts": [
            {
                "receipt_no": f"3206250300123456{number:02}",
                "paid_date": f"2026-{number:02}-20",
                "amount_fen": 2_480_000,
                "document": BILL,
            }
            for number in range(1, 11)
        ],
        "suspense": [
            {"suspense_id": SUSPENSE, "reason": "OVERPAID", "amount_fen": 50_000, "left_fen": 30_000},
        ],
        "totals": {
            "billed_fen": 29_760_000,
            "arrears_fen": 3_960_000,
            "demands_open_fen": 7_400,
            "received_fen": 24_800_000,
            "credit_fen": 30_000,
        },
    }
    content = orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()
    return collection_service_pb2.GetEmployerStatementResponse(content=content, digest="ab" * 32)


def arrears() -> collection_service_pb2.ListArrearsResponse:
    """A bill that is late."""
    return collection_service_pb2.ListArrearsResponse(
        arrears=[
            collection_service_pb2.Arrear(
                document=BILL,
                month=month(2026, 11),
                open=yuan("14800.00"),
                due_date=to_date(date(2026, 11, 25)),
                late_fee=yuan("207.20"),
                statement=STATEMENT,
            )
        ],
        open=yuan("39600.00"),
        late_fee=yuan("207.20"),
        credit=yuan("300.00"),
    )


def bill() -> enrollment_pb2.Bill:
    """A bill of three schemes."""
    return enrollment_pb2.Bill(
        bill_id=BILL,
        employer_id=EMPLOYER,
        month=month(2026, 11),
        state=enrollment_pb2.BILL_STATE_PART_PAID,
        kind=enrollment_pb2.BILL_KIND_EMPLOYER,
        total=yuan("24800.00"),
        paid=yuan("10000.00"),
        person_count=128,
        provisional=True,
        subtotals=subtotals(),
        assess_date=to_date(date(2026, 11, 2)),
        late_fee=yuan("0.00"),
    )


def subtotals() -> list[enrollment_pb2.BillSubtotal]:
    """Totals per scheme."""
    return [
        enrollment_pb2.BillSubtotal(scheme=scheme, employer=yuan("8000.00"), employee=yuan("4000.00"))
        for scheme in SCHEMES
    ]


def job(kind: str = "import_roster", state: str = "DONE", **changes: Any) -> job_pb2.Job:
    """A job with two rejected rows."""
    values: dict[str, Any] = {"total_count": 128, "done_count": 120, "skipped_count": 6, "rejected_count": 2}
    made = job_pb2.Job(job_id=JOB, kind=kind, state=job_pb2.JobState.Value(f"JOB_STATE_{state}"), **(values | changes))
    made.create_time.FromJsonString("2026-11-23T01:00:00Z")
    return made


def rejects(*codes: str) -> enrollment_service_pb2.ListEnrollmentJobRejectsResponse:
    """Two rows that were not taken, or one for each code."""
    rows = [(code, "账单与到账不符，第一处 bil_1", "the first is bil_1") for code in codes] or [
        ("ID_NO_SCIENTIFIC", "证件号被表格软件改成了 3.2E+17；请把这一列设成文本后重新填写。", "the number is 3.2E+17"),
        ("NAME_MISMATCH", "姓名与登记的不一致；请核对证件。", "the name is not the registered one"),
    ]
    return enrollment_service_pb2.ListEnrollmentJobRejectsResponse(
        rejects=[
            job_pb2.JobReject(line=place, code=code, text_zh=zh, text_en=en)
            for place, (code, zh, en) in enumerate(rows, 2)
        ]
    )


def project() -> enrollment_pb2.Project:
    """A construction project under way."""
    return enrollment_pb2.Project(
        project_id=PROJECT,
        employer_id=EMPLOYER,
        permit_no="320601202603010101",
        name="江海大道改造工程",
        contract_price=yuan("52000000.00"),
        start_date=to_date(date(2026, 3, 1)),
        planned_date=to_date(date(2027, 6, 30)),
        premium=yuan("62400.00"),
        statement=STATEMENT,
        paid=True,
        named_count=86,
    )


def suspense(**changes: Any) -> collection_service_pb2.Suspense:
    """Money whose bill nobody knows."""
    values: dict[str, Any] = {
        "suspense_id": SUSPENSE,
        "receipt_no": "320625030012345678",
        "employer_id": EMPLOYER,
        "reason": collection_service_pb2.SUSPENSE_REASON_BILL_UNKNOWN,
        "amount": yuan("2480.00"),
        "left": yuan("2480.00"),
        "state": collection_service_pb2.SUSPENSE_STATE_OPEN,
        "paid_date": to_date(date(2026, 11, 20)),
    }
    return collection_service_pb2.Suspense(**(values | changes))


def refund() -> collection_service_pb2.Refund:
    """A refund that waits for a second person."""
    return collection_service_pb2.Refund(
        refund_id=REFUND,
        kind=collection_service_pb2.REFUND_KIND_SUSPENSE,
        suspense_id=SUSPENSE,
        employer_id=EMPLOYER,
        amount=yuan("2480.00"),
        state=collection_service_pb2.REFUND_STATE_PREPARED,
        reason="重复缴费",
        receipt_no="320625030012345678",
    )


def person(who: str = PERSON, masked: str = "张**例") -> enrollment_pb2.Person:
    """A person, masked."""
    return enrollment_pb2.Person(
        person_id=who,
        name_masked=masked,
        id_no_masked="990000********1234",
        birth_date=to_date(date(1990, 3, 15)),
        sex=enrollment_pb2.SEX_FEMALE,
        division="320602",
    )


def versions() -> persons_service_pb2.ListPersonHistoryResponse:
    """A correction of a birth date that was found out later."""
    common: dict[str, Any] = {
        "name_masked": "张**例",
        "id_no_masked": "990000********1234",
        "document": persons_service_pb2.DOCUMENT_KIND_CITIZEN,
        "sex": enrollment_pb2.SEX_FEMALE,
        "division": "320602",
    }
    return persons_service_pb2.ListPersonHistoryResponse(
        versions=[
            persons_service_pb2.PersonVersion(
                recorded="2026-08-01T02:00:00Z",
                cause=persons_service_pb2.VERSION_CAUSE_CORRECTION,
                birth_date=to_date(date(1990, 3, 15)),
                evidence_ref="档案-2026-118",
                **common,
            ),
            persons_service_pb2.PersonVersion(
                recorded="2015-04-01T02:00:00Z",
                superseded="2026-08-01T02:00:00Z",
                cause=persons_service_pb2.VERSION_CAUSE_REGISTERED,
                birth_date=to_date(date(1990, 3, 5)),
                **common,
            ),
        ]
    )


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
    f"/desk/jobs/{JOB}",
    "/desk/bill-runs?month=2026-11",
    "/desk/receipts",
    f"/desk/receipts/{JOB}",
    f"/desk/bill-files/{FILE}",
    "/desk/suspense",
    f"/desk/suspense/{SUSPENSE}",
    "/desk/limits",
    f"/desk/limits/{DIFFERENCE}",
    f"/desk/books?job={JOB}",
    f"/desk/people/{PERSON}/history?known_at=2026-07-01",
    "/desk/duplicates",
    "/desk/person-requests",
    "/desk/transfers",
    f"/desk/transfers/{TRANSFER}",
)
SUPERVISOR_PAGES = ("/desk/funds", "/desk/refunds", f"/desk/instalments/{PLAN}")
