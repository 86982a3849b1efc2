"""What services answer about one invented person, as messages of the contract."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.values import to_date, to_money, to_month, to_statement
from hrss.benefits.v1 import benefits_pb2, benefits_service_pb2
from hrss.card.v1 import card_pb2, card_service_pb2
from hrss.enrollment.v1 import enrollment_pb2, enrollment_service_pb2
from hrss.gateway.v1 import cases_service_pb2
from hrss.type.v1 import money_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement
from services.card.messages.replies import possible
from services.card.messages.states import CARD_STATES, COUNTER_ACTIONS, HOLDER_ACTIONS

if TYPE_CHECKING:
    from services.card.domain.lifecycle import CardState
    from tests.gateway.echo import Echo
    from tests.portal.site import Overlay

NAME, ID_NO = "张示例", "990000199003151234"
PERSON = ids.to_text("per", ids.new_id())
CARD = ids.to_text("crd", ids.new_id())
BENEFIT = ids.to_text("ben", ids.new_id())
CASE_NO = "3206022026110810000174"
BUNDLE_NO, PART_NO = "3206022026110810000182", "3206022026110810000190"
ENROLLMENT = ids.to_text("enr", ids.new_id())
EMPLOYER_NAME = "南通示例纺织有限公司"

PENSION = Statement(
    (
        Line(
            "basic",
            Money.yuan("2362.68"),
            "基础养老金",
            "Basic pension",
            "8917.00 × (1 + 0.7913) ÷ 2 × 355 ÷ 12 × 0.01 = 2362.68",
            (("base", "8917.00"), ("index", "0.7913"), ("months", "355")),
            ("GF-2005-38",),
            (
                ParameterUse(
                    "pension-employee.yaml",
                    "calculation_base",
                    "8917.00",
                    "2025-01-01..2025-12-31",
                    "certain",
                    ("GF-2005-38",),
                    provisional=True,
                ),
                *(
                    ParameterUse("contribution.yaml", "index_base", "9860.00", "2025-01-01..", "likely")
                    for _ in range(20)
                ),
            ),
            provisional=True,
        ),
        Line("account", Money.yuan("1217.26"), "个人账户养老金", "From the account", "166399.67 ÷ 136.7 = 1217.26"),
    )
)

_STATES: dict[int, CardState] = {int(number): state for state, number in CARD_STATES.items()}


def person() -> enrollment_service_pb2.FindPersonResponse:
    """Who stands behind the login."""
    return enrollment_service_pb2.FindPersonResponse(
        person=enrollment_pb2.Person(person_id=PERSON, name_masked="张**例")
    )


def insurance() -> enrollment_service_pb2.GetInsuranceResponse:
    """Two schemes."""
    return enrollment_service_pb2.GetInsuranceResponse(
        participations=[
            enrollment_pb2.Participation(
                participation_id=ids.to_text("par", ids.new_id()),
                person_id=PERSON,
                employer_id=ids.to_text("emp", ids.new_id()),
                scheme=scheme,
                state=enrollment_pb2.PARTICIPATION_STATE_ACTIVE,
                start_month=to_month(Month(2025, 1)),
            )
            for scheme in (enrollment_pb2.SCHEME_EMPLOYEE_PENSION, enrollment_pb2.SCHEME_UNEMPLOYMENT)
        ],
        months=[
            enrollment_service_pb2.SchemeMonths(
                scheme=enrollment_pb2.SCHEME_EMPLOYEE_PENSION, paid_months=343, deemed_months=12
            )
        ],
        employments=[
            enrollment_pb2.Employment(
                enrollment_id=ENROLLMENT,
                employer_id=ids.to_text("emp", ids.new_id()),
                employer_name=EMPLOYER_NAME,
                start_month=to_month(Month(2025, 1)),
            ),
            enrollment_pb2.Employment(
                enrollment_id=ids.to_text("enr", ids.new_id()),
                employer_id=ids.to_text("emp", ids.new_id()),
                employer_name="南通从前机械有限公司",
                start_month=to_month(Month(2003, 4)),
                end_month=to_month(Month(2024, 12)),
            ),
        ],
    )


def contributions(request: Any) -> enrollment_service_pb2.ListContributionsResponse:
    """Twelve months of three schemes in any year, the last month not paid."""
    return enrollment_service_pb2.ListContributionsResponse(
        months=[
            enrollment_pb2.ContributionMonth(
                month=to_month(Month(request.year or 2026, month)),
                scheme=scheme,
                base=to_money(Money.yuan("9860.00")),
                employer=to_money(Money.yuan("1577.60")),
                employee=to_money(Money.yuan("788.80")),
                state=enrollment_pb2.CONTRIBUTION_STATE_UNPAID
                if month == 12
                else enrollment_pb2.CONTRIBUTION_STATE_PAID,
                source="bill:bil_1",
            )
            for month in range(12, 0, -1)
            for scheme in (
                enrollment_pb2.SCHEME_EMPLOYEE_PENSION,
                enrollment_pb2.SCHEME_UNEMPLOYMENT,
                enrollment_pb2.SCHEME_WORK_INJURY,
            )
        ]
    )


def account() -> enrollment_service_pb2.GetAccountResponse:
    """An account with a closed year."""
    return enrollment_service_pb2.GetAccountResponse(
        balance=to_money(Money.yuan("166399.67")),
        years=[
            enrollment_pb2.AccountYear(
                year=2025,
                opening=to_money(Money.yuan("159455.23")),
                contribution=to_money(Money.yuan("5521.60")),
                interest=to_money(Money.yuan("1422.84")),
                closing=to_money(Money.yuan("166399.67")),
                imported=to_money(Money(0)),
                closed=True,
                statement=to_statement(PENSION, "0123456789abcdef"),
                source="platform",
            )
        ],
    )


def retirement() -> benefits_pb2.Retirement:
    """When the person retires."""
    return benefits_pb2.Retirement(
        track=benefits_pb2.RETIREMENT_TRACK_MALE_60,
        original_month=to_month(Month(2026, 3)),
        delay_months=4,
        statutory_month=to_month(Month(2026, 7)),
        age="60y4m",
        earliest_month=to_month(Month(2026, 3)),
        latest_month=to_month(Month(2029, 7)),
        min_contribution_months=180,
        contribution_months=355,
        payout_months=money_pb2.Rate(decimal="136.7"),
    )


def estimate() -> benefits_service_pb2.EstimatePensionResponse:
    """An estimate."""
    return benefits_service_pb2.EstimatePensionResponse(
        retirement=retirement(),
        statement=to_statement(PENSION, "0123456789abcdef"),
        as_of=to_month(Month(2026, 7)),
        assumed_months=3,
        notice_zh="以退休时核定为准。",
        notice_en="The determination at retirement counts.",
    )


def benefits() -> benefits_service_pb2.ListBenefitsResponse:
    """A pension that is paid."""
    return benefits_service_pb2.ListBenefitsResponse(
        benefits=[
            benefits_pb2.Benefit(
                benefit_id=BENEFIT,
                person_id=PERSON,
                kind=benefits_pb2.BENEFIT_KIND_EMPLOYEE_PENSION,
                state=benefits_pb2.BENEFIT_STATE_ACTIVE,
                monthly=to_money(Money.yuan("3664.70")),
                first_month=to_month(Month(2026, 8)),
            )
        ]
    )


def payments() -> benefits_service_pb2.ListPersonPaymentsResponse:
    """A month of it."""
    return benefits_service_pb2.ListPersonPaymentsResponse(
        payments=[
            benefits_pb2.Payment(
                payment_id=ids.to_text("pmt", ids.new_id()),
                benefit_id=BENEFIT,
                person_id=PERSON,
                kind=benefits_pb2.BENEFIT_KIND_EMPLOYEE_PENSION,
                month=to_month(Month(2026, 8)),
                amount=to_money(Money.yuan("3664.70")),
                state=benefits_pb2.PAYMENT_STATE_CONFIRMED,
                simulated=True,
            )
        ]
    )


def card(state: int = card_pb2.CARD_STATE_ACTIVE) -> card_pb2.Card:
    """The electronic card."""
    return card_pb2.Card(
        card_id=CARD,
        person_id=PERSON,
        issue_no="32060000000000000017",
        name_masked="张*例",
        level=1,
        state=card_pb2.CardState.Name(state),  # type: ignore[arg-type] # the stubs know numbers only
        state_since=to_date(date(2026, 8, 3)),
        physical_state=card_pb2.PHYSICAL_STATE_NORMAL,
        valid_from=to_date(date(2026, 8, 3)),
        valid_to=to_date(date(2036, 8, 2)),
        usable=state == card_pb2.CARD_STATE_ACTIVE,
        usable_level=1,
        holder_actions=possible(_STATES[state], None, HOLDER_ACTIONS),
        counter_actions=possible(_STATES[state], None, COUNTER_ACTIONS),
    )


def case(state: int = cases_service_pb2.CASE_STATE_IN_REVIEW, **changes: Any) -> cases_service_pb2.Case:
    """An application for a pension."""
    return cases_service_pb2.Case(
        **{
            "case_no": CASE_NO,
            "item_code": "BE01",
            "title_zh": "企业职工正常退休申请及待遇核定",
            "title_en": "Retire and have your pension determined",
            "state": cases_service_pb2.CaseState.Name(state),  # type: ignore[arg-type] # the stubs know numbers only
            "person_id": PERSON,
            "name_masked": "张**例",
            "channel": cases_service_pb2.CASE_CHANNEL_WEB,
            "submit_date": to_date(date(2026, 11, 8)),
            "clock": cases_service_pb2.CaseClock(
                promised_date=to_date(date(2026, 11, 20)), legal_date=to_date(date(2026, 12, 4)), is_provisional=True
            ),
            "steps": [
                cases_service_pb2.CaseStep(
                    name="prepare",
                    title_zh="核定待遇",
                    title_en="Determine",
                    state=cases_service_pb2.CASE_STEP_STATE_DONE,
                ),
                cases_service_pb2.CaseStep(
                    name="approve", title_zh="复核", title_en="Approve", state=cases_service_pb2.CASE_STEP_STATE_WORKING
                ),
            ],
            "statement": to_statement(PENSION, "0123456789abcdef"),
            "progress_percent": 60,
            **changes,
        }
    )


def bundle(
    first: int = cases_service_pb2.CASE_STATE_CORRECTION_REQUESTED,
    last: int = cases_service_pb2.CASE_STATE_UNSPECIFIED,
    **changes: Any,
) -> cases_service_pb2.Case:
    """An application for PK05: where its first and its last part stand."""
    states = {"EN06": first, "BE09": cases_service_pb2.CASE_STATE_UNSPECIFIED, "BE10": last}
    shown: dict[str, Any] = {
        "case_no": BUNDLE_NO,
        "item_code": "",
        "bundle_code": "PK05",
        "title_zh": "企业与员工解除终止劳动合同“一件事”",
        "title_en": "Ending an employment, in one go",
        "parts": [
            cases_service_pb2.CasePart(
                item_code=code,
                case_no=PART_NO if state else "",
                title_zh=f"{code} 事项",
                title_en=f"Part {code}",
                state=state,  # type: ignore[arg-type] # a number of the enum
                problem_text="本人辞职" if state == cases_service_pb2.CASE_STATE_REJECTED else "",
            )
            for code, state in states.items()
        ],
        **changes,
    }
    made = case(cases_service_pb2.CASE_STATE_ACCEPTED, **shown)
    made.ClearField("steps")
    made.ClearField("statement")
    return made


def part() -> cases_service_pb2.GetCaseResponse:
    """The first part of the bundle, sent back, with what was filled in."""
    sent_back = case(
        cases_service_pb2.CASE_STATE_CORRECTION_REQUESTED,
        case_no=PART_NO,
        parent_case_no=BUNDLE_NO,
        item_code="EN06",
        correction_points=["最后月份不对"],
    )
    filled = cases_service_pb2.EndEnrollmentForm(
        enrollment_id=ENROLLMENT, end_month=to_month(Month(2026, 10)), reason=enrollment_pb2.END_REASON_DISMISSED
    )
    return cases_service_pb2.GetCaseResponse(case=sent_back, form=cases_service_pb2.CaseForm(end_enrollment=filled))


def events() -> cases_service_pb2.ListCaseEventsResponse:
    """What happened."""
    return cases_service_pb2.ListCaseEventsResponse(
        events=[
            cases_service_pb2.CaseEvent(
                time=Timestamp(seconds=1_794_000_000),
                business_date=to_date(date(2026, 11, 8)),
                kind="submitted",
                text="已提交 / handed in",
                state=cases_service_pb2.CASE_STATE_SUBMITTED,
                actor="applicant",
            )
        ]
    )


def program(echo: Echo) -> None:
    """Let the services know the person."""
    echo.reset()
    echo.answer("FindPerson", person())
    echo.answer(
        "GetApplicant",
        enrollment_service_pb2.GetApplicantResponse(person=person().person, last_four=ID_NO[-4:]),
    )
    echo.answer("GetInsurance", insurance())
    echo.answer("ListContributions", contributions)
    echo.answer("GetAccount", account())
    echo.answer("GetRetirement", benefits_service_pb2.GetRetirementResponse(retirement=retirement()))
    echo.answer("EstimatePension", estimate())
    echo.answer("ListBenefits", benefits())
    echo.answer("ListPersonPayments", payments())
    echo.answer(
        "GetCalculation", benefits_service_pb2.GetCalculationResponse(statement=to_statement(PENSION, "0123456789ab"))
    )
    echo.answer("ListCards", card_service_pb2.ListCardsResponse(cards=[card()]))
    echo.answer(
        "MintToken", card_service_pb2.MintTokenResponse(token="S1" + "A" * 180, valid_seconds=60, refresh_seconds=50)
    )


def program_cases(overlay: Overlay, shown: cases_service_pb2.Case | None = None) -> None:
    """Let the platform know an application of the person."""
    one = shown or case()
    person_cases = cases_service_pb2.ListPersonCasesResponse(cases=[one], next_page_token="more")
    message = cases_service_pb2.CaseMessage(
        message_id="m1", time=Timestamp(seconds=1_794_000_000), case_no=CASE_NO, title="已受理", text="请等待。"
    )
    tracked = cases_service_pb2.TrackCaseResponse(
        case_no=CASE_NO,
        title_zh=one.title_zh,
        title_en=one.title_en,
        state=one.state,
        submit_date=one.submit_date,
        progress_percent=60,
    )
    overlay.answers.update(
        {
            ("GET", r"/v1/persons/[^/]+/cases"): person_cases,
            ("GET", r"/v1/persons/[^/]+/messages"): cases_service_pb2.ListMessagesResponse(messages=[message]),
            ("GET", rf"/v1/cases/{CASE_NO}"): cases_service_pb2.GetCaseResponse(case=one),
            ("GET", rf"/v1/cases/({CASE_NO}|{BUNDLE_NO}|{PART_NO})/events"): events(),
            ("GET", rf"/v1/cases/{BUNDLE_NO}"): cases_service_pb2.GetCaseResponse(case=bundle()),
            ("GET", rf"/v1/cases/{PART_NO}"): part(),
            ("POST", r"/v1/cases"): cases_service_pb2.CreateCaseResponse(case=one),
            ("POST", rf"/v1/cases/{CASE_NO}:(correct|withdraw)"): cases_service_pb2.WithdrawCaseResponse(case=one),
            ("POST", r"/v1/cases:track"): tracked,
        }
    )
