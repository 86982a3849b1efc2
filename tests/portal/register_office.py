"""What the register answers the office: employers, bills, jobs, money that waits, records through time."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson

from chassis.values import to_date
from hrss.enrollment.v1 import (
    collection_service_pb2,
    enrollment_pb2,
    enrollment_service_pb2,
    persons_service_pb2,
)
from hrss.type.v1 import job_pb2, money_pb2
from kernel import ids
from tests.portal.answers import EMPLOYER_NAME, PERSON
from tests.portal.register_ids import (
    BILL,
    CREDIT_CODE,
    EMPLOYER,
    JOB,
    PROJECT,
    REFUND,
    SCHEMES,
    STATEMENT,
    SUSPENSE,
    month,
    yuan,
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
