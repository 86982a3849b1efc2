"""Cases as the API shows them: valid unless a test says otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from chassis.values import to_date, to_month
from hrss.enrollment.v1 import enrollment_pb2 as register
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment
from hrss.gateway.v1 import cases_service_pb2 as pb
from hrss.gateway.v1 import items_service_pb2 as catalogue
from hrss.type.v1 import money_pb2, statement_pb2
from kernel import ids
from kernel.calendar import Month

if TYPE_CHECKING:
    from tests.portal.site import Overlay

CASE_NO = "3206132026112310000174"
PERSON = ids.to_text("per", ids.new_id())
DIGEST = "5c" * 32


def a_case(**changes: Any) -> pb.Case:
    """A pension that waits for acceptance."""
    values: dict[str, Any] = {
        "case_no": CASE_NO,
        "item_code": "BE01",
        "title_zh": "企业职工正常退休申请及待遇核定",
        "title_en": "Retirement and pension of an employee",
        "state": pb.CASE_STATE_SUBMITTED,
        "person_id": PERSON,
        "name_masked": "张**",
        "channel": pb.CASE_CHANNEL_WEB,
        "submit_date": to_date(date(2026, 11, 20)),
        "clock": pb.CaseClock(
            start_date=to_date(date(2026, 11, 20)),
            promised_date=to_date(date(2026, 12, 4)),
            legal_date=to_date(date(2026, 12, 18)),
            used_working_days=1,
        ),
        "steps": [
            a_step("settle", "结算个人账户", "Settle the account"),
            a_step("prepare", "核定养老金", "Determine the pension"),
            a_step("approve", "批准", "Approve"),
        ],
    }
    return pb.Case(**(values | changes))


def a_step(name: str, zh: str, en: str, state: str = "WAITING", **changes: Any) -> pb.CaseStep:
    """A step that waits."""
    return pb.CaseStep(
        name=name, title_zh=zh, title_en=en, state=pb.CaseStepState.Value(f"CASE_STEP_STATE_{state}"), **changes
    )


def in_review(**changes: Any) -> pb.Case:
    """The same, prepared and waiting for the decision."""
    lines = [
        statement_pb2.StatementLine(
            code="basic",
            title_zh="基础养老金",
            title_en="Basic pension",
            amount=money_pb2.Money(fen=205040),
            formula="(9879.00 + 7903.20) / 2 × 23.06 年 × 1%",
            inputs=[statement_pb2.StatementInput(name="years", value="23.06")],
            sources=["GF-2005-38"],
        ),
        statement_pb2.StatementLine(
            code="account",
            title_zh="个人账户养老金",
            title_en="Account pension",
            amount=money_pb2.Money(fen=98765),
            formula="137283.35 / 139",
            sources=["GF-2005-38"],
            provisional=True,
        ),
    ]
    statement = statement_pb2.Statement(
        lines=lines, total=money_pb2.Money(fen=303805), provisional=True, policy_version="ab" * 32
    )
    values: dict[str, Any] = {
        "state": pb.CASE_STATE_IN_REVIEW,
        "statement": statement,
        "statement_digest": DIGEST,
        "steps": [
            a_step("settle", "结算个人账户", "Settle the account", "DONE", attempts=1),
            a_step("prepare", "核定养老金", "Determine the pension", "DONE", attempts=2),
            a_step("approve", "批准", "Approve"),
        ],
    }
    return a_case(**(values | changes))


def stuck(**changes: Any) -> pb.Case:
    """The same, with a step that a service refused."""
    values: dict[str, Any] = {
        "state": pb.CASE_STATE_ACCEPTED,
        "problem_code": "CONTRIBUTIONS_MISSING",
        "problem_text": "还缺缴费记录。请补齐后再办。",
        "steps": [
            a_step(
                "settle",
                "结算个人账户",
                "Settle the account",
                "REFUSED",
                attempts=3,
                problem_code="CONTRIBUTIONS_MISSING",
                problem_text="还缺缴费记录。",
            )
        ],
    }
    return a_case(**(values | changes))


def a_form() -> pb.CaseForm:
    """What was filled in, masked."""
    return pb.CaseForm(
        pension=pb.PensionForm(
            retirement_month=to_month(Month.parse("2026-12")),
            payee=pb.CasePayee(name="张**", account="****3334"),
        )
    )


def shown(case: pb.Case) -> pb.GetCaseResponse:
    """The answer of GetCase."""
    return pb.GetCaseResponse(case=case, form=a_form())


def events(*kinds: str) -> pb.ListCaseEventsResponse:
    """What happened, each in a trace of its own."""
    found = []
    for number, kind in enumerate(kinds):
        event = pb.CaseEvent(
            business_date=to_date(date(2026, 11, 20)),
            kind=kind,
            text=f"{kind} …",
            state=pb.CASE_STATE_SUBMITTED,
            actor="applicant" if kind == "submitted" else "staff",
            trace_id=f"{number + 1:032x}",
        )
        event.time.FromDatetime(datetime(2026, 11, 20, 1, number, tzinfo=UTC))
        found.append(event)
    return pb.ListCaseEventsResponse(events=found)


def insurance() -> enrollment.GetInsuranceResponse:
    """The person's insurance."""
    return enrollment.GetInsuranceResponse(
        participations=[
            register.Participation(
                participation_id=ids.to_text("par", ids.new_id()),
                person_id=PERSON,
                employer_id=ids.to_text("emp", ids.new_id()),
                scheme=scheme,
                state=register.PARTICIPATION_STATE_ACTIVE,
                start_month=to_month(Month.parse("2003-04")),
                track=register.TRACK_MALE_60,
            )
            for scheme in (register.SCHEME_EMPLOYEE_PENSION, register.SCHEME_UNEMPLOYMENT)
        ],
        months=[
            enrollment.SchemeMonths(scheme=register.SCHEME_EMPLOYEE_PENSION, paid_months=277, deemed_months=24),
        ],
    )


def a_person() -> register.Person:
    """The person at the counter, masked."""
    return register.Person(
        person_id=PERSON,
        name_masked="张**",
        id_no_masked="990***********1234",
        birth_date=to_date(date(1966, 12, 1)),
        sex=register.SEX_MALE,
        division="990000",
    )


def a_queue(*cases: pb.Case, **counts: int) -> pb.ListQueueResponse:
    """A page of the queue."""
    values: dict[str, Any] = {"to_accept_count": 3, "to_decide_count": 2, "overdue_count": 1, "stuck_count": 1}
    return pb.ListQueueResponse(cases=cases, **(values | counts))


def items(*codes: str) -> catalogue.ListItemsResponse:
    """Available items."""
    return catalogue.ListItemsResponse(
        items=[
            catalogue.Item(item_code=code, name_zh=f"事项 {code}", name_en=f"Item {code}", is_available=True)
            for code in codes
        ]
    )


def bundles() -> catalogue.ListBundlesResponse:
    """One bundle that a counter can hand in and one that it cannot."""
    return catalogue.ListBundlesResponse(
        bundles=[
            catalogue.Bundle(
                bundle_code="PK05", name_zh="失业一件事", name_en="Losing a job", item_codes=["BE09", "BE10"],
                is_available=True,
            ),
            catalogue.Bundle(
                bundle_code="PK02", name_zh="就业一件事", name_en="Starting work", item_codes=["EN05", "CA06"],
                is_available=True,
            ),
        ]
    )  # fmt: skip


def program(overlay: Overlay, case: pb.Case | None = None) -> None:
    """Let the API know a case and all that is asked beside it."""
    answers = overlay.answers
    answers["GET", f"/v1/cases/{CASE_NO}"] = shown(a_case() if case is None else case)
    answers["GET", f"/v1/cases/{CASE_NO}/events"] = events("submitted", "accepted")
    answers["GET", "/v1/persons/per_[0-9a-f]+/insurance"] = insurance()
    answers["GET", "/v1/persons/per_[0-9a-f]+"] = enrollment.GetPersonResponse(person=a_person())
    answers["GET", "/v1/persons/per_[0-9a-f]+/cases"] = pb.ListPersonCasesResponse(cases=[in_review()])
    answers["GET", "/v1/cases"] = a_queue(stuck(), in_review(), a_case(clock=None))
    answers["GET", "/v1/items"] = items("BE01", "BE09", "BE10", "TR01", "EN05", "CA06")
    answers["GET", "/v1/bundles"] = bundles()


def refusal(status: int, code: str, **more: Any) -> dict[str, Any]:
    """What the API says when it refuses."""
    return {"status": status, "code": code, "title": f"{code} happened", "detail": "why", "hint": "what to do", **more}
