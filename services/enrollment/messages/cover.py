"""Requests of CoverService as commands; whatever is wrong in form is refused here with its field."""

from datetime import date
from typing import Any, Protocol
from uuid import UUID

from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.identity import normalise_employer_name, normalise_name
from kernel.money import Money
from services.enrollment import commands
from services.enrollment.cover import DUE_DAYS, EmployerKind, SuspendReason
from services.enrollment.cover_work import CONTRACT_PRICE_MAX, DAY_ORDERS_MAX, REPORT_ROWS_MAX, Branch, check_permit_no
from services.enrollment.domain.contributions import Scheme
from services.enrollment.messages.requests import POSTS, BirthFields, identity_of, month_of, name_of, person_id
from services.enrollment.register import WAGE_MAX, EndReason, check_division, check_phone, check_receipt_no, check_wage

_NAME_MIN, _NAME_MAX = 2, 100
_REASONS = {
    pb.SUSPEND_REASON_UNPAID_LEAVE: SuspendReason.UNPAID_LEAVE,
    pb.SUSPEND_REASON_NO_INCOME: SuspendReason.NO_INCOME,
    pb.SUSPEND_REASON_STUDY_OR_SERVICE: SuspendReason.STUDY_OR_SERVICE,
    pb.SUSPEND_REASON_DETENTION: SuspendReason.DETENTION,
    pb.SUSPEND_REASON_OTHER: SuspendReason.OTHER,
}
_EMPLOYER_KINDS = {
    pb.EMPLOYER_KIND_ENTERPRISE: EmployerKind.ENTERPRISE,
    pb.EMPLOYER_KIND_GOVERNMENT: EmployerKind.GOVERNMENT,
}
_BRANCHES = {
    pb.PLATFORM_BRANCH_RIDE: Branch.RIDE,
    pb.PLATFORM_BRANCH_TAKEAWAY: Branch.TAKEAWAY,
    pb.PLATFORM_BRANCH_DELIVERY: Branch.DELIVERY,
    pb.PLATFORM_BRANCH_FREIGHT: Branch.FREIGHT,
}


class _Fields(Protocol):
    def HasField(self, field_name: Any) -> bool: ...


class _PersonFields(BirthFields, Protocol):
    name: str
    id_no: str
    phone: str


class _ReceiptFields(Protocol):
    receipt_no: str
    simulated: bool

    def HasField(self, field_name: Any) -> bool: ...


def enroll_flexible(
    request: pb.EnrollFlexibleRequest, *, today: date, allow_test_region: bool
) -> commands.EnrollFlexible:
    """Read EnrollFlexible.

    Raises:
        InvalidInput: ID_NO_INVALID, NAME_INVALID, PHONE_INVALID, DIVISION_INVALID, MONTH_REQUIRED, WAGE_INVALID.
    """
    return commands.EnrollFlexible(
        person=_person(request, today, allow_test_region=allow_test_region),
        division=check_division(request.division),
        start_month=month_of(request, "start_month"),
        base=_amount(request, "base"),
        post=POSTS.get(request.post),
    )


def enroll_resident(
    request: pb.EnrollResidentRequest, *, today: date, allow_test_region: bool
) -> commands.EnrollResident:
    """Read EnrollResident.

    Raises:
        InvalidInput: ID_NO_INVALID, NAME_INVALID, PHONE_INVALID, DIVISION_INVALID, MONTH_REQUIRED.
    """
    return commands.EnrollResident(
        person=_person(request, today, allow_test_region=allow_test_region),
        division=check_division(request.division),
        start_month=month_of(request, "start_month"),
        is_student=request.is_student,
    )


def cover_id(text: str) -> UUID:
    """Read the id of a cover."""
    return ids.parse("cov", text, field="cover_id")


def change_base(request: pb.ChangeCoverBaseRequest) -> commands.ChangeBase:
    """Read ChangeCoverBase."""
    return commands.ChangeBase(cover_id(request.cover_id), month_of(request, "from_month"), _amount(request, "base"))


def suspend_cover(request: pb.SuspendCoverRequest) -> commands.Suspend:
    """Read SuspendCover."""
    return commands.Suspend(cover_id(request.cover_id), month_of(request, "from_month"), _reason(request.reason))


def suspend_enrollment(request: pb.SuspendEnrollmentRequest) -> commands.Suspend:
    """Read SuspendEnrollment."""
    return commands.Suspend(
        ids.parse("enr", request.enrollment_id, field="enrollment_id"),
        month_of(request, "from_month"),
        _reason(request.reason),
    )


def resume_cover(request: pb.ResumeCoverRequest) -> commands.Resume:
    """Read ResumeCover."""
    return commands.Resume(cover_id(request.cover_id), month_of(request, "from_month"))


def resume_enrollment(request: pb.ResumeEnrollmentRequest) -> commands.Resume:
    """Read ResumeEnrollment."""
    return commands.Resume(
        ids.parse("enr", request.enrollment_id, field="enrollment_id"), month_of(request, "from_month")
    )


def end_cover(request: pb.EndCoverRequest) -> commands.EndCover:
    """Read EndCover.

    Raises:
        InvalidInput: END_REASON_REQUIRED, MONTH_REQUIRED.
    """
    if request.reason != model.END_REASON_STOPPED:  # a death is recorded of the person, and ends everything
        raise InvalidInput("END_REASON_REQUIRED", "an end needs its reason", field="reason")
    return commands.EndCover(cover_id(request.cover_id), month_of(request, "end_month"), EndReason.STOPPED)


def assess_cover_bill(request: pb.AssessCoverBillRequest) -> tuple[UUID, Month]:
    """Read AssessCoverBill: the cover and the month."""
    return cover_id(request.cover_id), month_of(request, "month")


def assess_resident_year(request: pb.AssessResidentYearRequest) -> commands.AssessResidentYear:
    """Read AssessResidentYear.

    Raises:
        InvalidInput: AMOUNT_INVALID: the aid is negative or enormous.
    """
    tier = Money(request.tier.fen) if request.HasField("tier") else Money.ZERO
    aid = Money(request.aid.fen) if request.HasField("aid") else Money.ZERO
    if not Money.ZERO <= aid <= WAGE_MAX:
        raise InvalidInput("AMOUNT_INVALID", "collective aid is 0 to 1,000,000", field="aid")
    return commands.AssessResidentYear(cover_id(request.cover_id), request.year, tier, aid)


def resident_receipt(request: pb.RecordResidentPaymentRequest) -> commands.SingleReceipt:
    """Read RecordResidentPayment."""
    return _receipt(
        ids.parse("rpy", request.resident_payment_id, field="resident_payment_id"), request, request.amount.fen
    )


def project_receipt(request: pb.RecordProjectPremiumRequest) -> commands.SingleReceipt:
    """Read RecordProjectPremium."""
    return _receipt(project_id(request.project_id), request, request.amount.fen)


def platform_receipt(request: pb.RecordPlatformPremiumRequest) -> commands.SingleReceipt:
    """Read RecordPlatformPremium."""
    subject = ids.parse("plm", request.platform_month_id, field="platform_month_id")
    return _receipt(subject, request, request.amount.fen)


def set_kind(request: pb.SetEmployerKindRequest) -> tuple[UUID, EmployerKind]:
    """Read SetEmployerKind.

    Raises:
        InvalidInput: VALUE_REQUIRED.
    """
    kind = _EMPLOYER_KINDS.get(request.kind)
    if kind is None:
        raise InvalidInput("VALUE_REQUIRED", "an employer has a kind", field="kind")
    return ids.parse("emp", request.employer_id, field="employer_id"), kind


def enroll_post(request: pb.EnrollPostRequest, *, today: date, allow_test_region: bool) -> commands.EnrollPost:
    """Read EnrollPost.

    Raises:
        InvalidInput: what EnrollPerson raises.
    """
    named = ((request.with_unemployment, Scheme.UNEMPLOYMENT), (request.with_work_injury, Scheme.WORK_INJURY))
    return commands.EnrollPost(
        employer_id=ids.parse("emp", request.employer_id, field="employer_id"),
        person=_person(request, today, allow_test_region=allow_test_region),
        start_month=month_of(request, "start_month"),
        wage=check_wage(_amount(request, "wage")),
        post=POSTS.get(request.post),
        more_schemes=tuple(scheme for is_named, scheme in named if is_named),
    )


def assess_posts(request: pb.AssessPostBillRequest) -> commands.AssessBill:
    """Read AssessPostBill."""
    return commands.AssessBill(ids.parse("emp", request.employer_id, field="employer_id"), month_of(request, "month"))


def back_payment(request: pb.AssessBackPaymentRequest) -> commands.AssessBackPayment:
    """Read AssessBackPayment.

    Raises:
        InvalidInput: BACK_PAYMENT_DUE_INVALID, WAGE_INVALID, MONTH_REQUIRED.
    """
    if request.due_day not in DUE_DAYS:
        raise InvalidInput("BACK_PAYMENT_DUE_INVALID", "a due day is 1 to 28", field="due_day")
    return commands.AssessBackPayment(
        enrollment_id=ids.parse("enr", request.enrollment_id, field="enrollment_id"),
        first_month=month_of(request, "first_month"),
        last_month=month_of(request, "last_month"),
        wage=check_wage(_amount(request, "wage")),
        document_ref=request.document_ref.strip(),
        due_day=request.due_day,
    )


def register_project(request: pb.RegisterProjectRequest) -> commands.RegisterProject:
    """Read RegisterProject.

    Raises:
        InvalidInput: NAME_INVALID, PERMIT_NO_INVALID, AMOUNT_INVALID, PROJECT_DATES_INVALID.
    """
    name = name_of(normalise_employer_name, request.name)
    if not _NAME_MIN <= len(name) <= _NAME_MAX:
        raise InvalidInput("NAME_INVALID", "a project's name has 2 to 100 characters", field="name", cause="LENGTH")
    price = _amount(request, "contract_price")
    if not Money.ZERO < price <= CONTRACT_PRICE_MAX:
        raise InvalidInput("AMOUNT_INVALID", "a contract price is more than nothing", field="contract_price")
    return commands.RegisterProject(
        employer_id=ids.parse("emp", request.employer_id, field="employer_id"),
        permit_no=check_permit_no(request.permit_no),
        name=name,
        contract_price=price,
        start_date=_day(request, "start_date", "PROJECT_DATES_INVALID"),
        planned_date=_day(request, "planned_date", "PROJECT_DATES_INVALID"),
    )


def project_id(text: str) -> UUID:
    """Read the id of a project."""
    return ids.parse("prj", text, field="project_id")


def add_worker(
    request: pb.AddProjectWorkerRequest, *, today: date, allow_test_region: bool
) -> commands.AddProjectWorker:
    """Read AddProjectWorker."""
    return commands.AddProjectWorker(
        project_id(request.project_id),
        _person(request, today, allow_test_region=allow_test_region),
        _day(request, "from_date", "PROJECT_DATES_INVALID"),
    )


def complete_project(request: pb.CompleteProjectRequest) -> tuple[UUID, date]:
    """Read CompleteProject: the project and the day."""
    return project_id(request.project_id), _day(request, "completion_date", "PROJECT_DATES_INVALID")


def project_cover(request: pb.GetProjectCoverRequest) -> tuple[UUID, UUID | None, date]:
    """Read GetProjectCover: the project, the person or nobody, and the day."""
    worker = person_id(request.person_id) if request.person_id else None
    return project_id(request.project_id), worker, _day(request, "day", "PROJECT_DATES_INVALID")


def report_orders(request: pb.ReportPlatformOrdersRequest) -> commands.ReportPlatformOrders:
    """Read ReportPlatformOrders.

    Raises:
        InvalidInput: BRANCH_REQUIRED, MONTH_REQUIRED, ORDERS_INVALID.
    """
    branch = _BRANCHES.get(request.branch)
    if branch is None:
        raise InvalidInput("BRANCH_REQUIRED", "a report is of one branch", field="branch")
    month = month_of(request, "month")
    days = tuple(
        commands.WorkerDay(person_id(one.person_id), _day(one, "day", "ORDERS_INVALID"), one.orders)
        for one in request.worker_days[: REPORT_ROWS_MAX + 1]
    )
    if (
        not 1 <= len(days) <= REPORT_ROWS_MAX
        or len({(one.person_id, one.day) for one in days}) < len(days)
        or any(Month.of(one.day) != month or not 1 <= one.orders <= DAY_ORDERS_MAX for one in days)
    ):
        raise InvalidInput(
            "ORDERS_INVALID",
            "each worker and day stands once, in the month, with 1 to 1,000 orders",
            field="worker_days",
        )
    return commands.ReportPlatformOrders(
        ids.parse("emp", request.employer_id, field="employer_id"), month, branch, days
    )


def platform_cover(request: pb.GetPlatformCoverRequest) -> tuple[UUID, date]:
    """Read GetPlatformCover: the person and the day."""
    return person_id(request.person_id), _day(request, "day", "DATE_REQUIRED")


def _person(request: _PersonFields, today: date, *, allow_test_region: bool) -> commands.NewPerson:
    return commands.NewPerson(
        name=name_of(normalise_name, request.name),
        identity=identity_of(request.id_no, today, allow_test_region=allow_test_region, beside=request),
        phone=check_phone(request.phone),
    )


def _reason(reason: pb.SuspendReason.ValueType) -> SuspendReason:
    found = _REASONS.get(reason)
    if found is None:
        raise InvalidInput("SUSPEND_REASON_REQUIRED", "a suspension needs its reason", field="reason")
    return found


def _receipt(subject_id: UUID, request: _ReceiptFields, fen: int) -> commands.SingleReceipt:
    if fen <= 0:
        raise InvalidInput("RECEIPT_AMOUNT_INVALID", "a receipt is for more than nothing", field="amount")
    return commands.SingleReceipt(
        subject_id=subject_id,
        receipt_no=check_receipt_no(request.receipt_no),
        amount=Money(fen),
        paid_date=_day(request, "paid_date", "PAID_DATE_INVALID"),
        simulated=request.simulated,
    )


def _amount(request: _Fields, field: str) -> Money:
    return Money(getattr(request, field).fen) if request.HasField(field) else Money.ZERO


def _day(request: _Fields, field: str, reason: str) -> date:
    if not request.HasField(field):
        raise InvalidInput(reason, "a day is required", field=field)
    value = getattr(request, field)
    try:
        return date(value.year, value.month, value.day)
    except ValueError:
        raise InvalidInput(reason, "the calendar has no such day", field=field) from None
