"""What the register answers an invented person: insurance, contributions, account, certificates, transfers."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import orjson

from chassis.values import to_date
from hrss.enrollment.v1 import (
    enrollment_pb2,
    enrollment_service_pb2,
    moving_service_pb2,
)
from hrss.type.v1 import money_pb2
from kernel import ids
from tests.portal.answers import EMPLOYER_NAME, PERSON
from tests.portal.register_ids import (
    COVER,
    EMPLOYER,
    NUMBER,
    SCHEMES,
    STATEMENT,
    TRANSFER,
    month,
    yuan,
)


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
