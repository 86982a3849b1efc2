"""Values of covers, posts, overlaps, projects and platforms as replies of CoverService."""

from collections.abc import Sequence
from uuid import UUID

from chassis.values import to_date, to_money, to_month, to_statement
from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from kernel import ids
from services.enrollment.billing import Bill
from services.enrollment.cover import Cover, EmployerKind
from services.enrollment.cover_money import BackPayment, Overlap, ResidentPayment, SchemeAccount
from services.enrollment.cover_work import Branch, PlatformMonth, PlatformOrders, Project
from services.enrollment.messages.cover_models import COVER_KINDS, cover_model
from services.enrollment.messages.replies import bill_model, employer_model, enrollment_model
from services.enrollment.messages.words import SCHEMES
from services.enrollment.register import Employer, Enrollment

EMPLOYER_KINDS = {
    EmployerKind.ENTERPRISE: pb.EMPLOYER_KIND_ENTERPRISE,
    EmployerKind.GOVERNMENT: pb.EMPLOYER_KIND_GOVERNMENT,
}
BRANCHES = {
    Branch.RIDE: pb.PLATFORM_BRANCH_RIDE,
    Branch.TAKEAWAY: pb.PLATFORM_BRANCH_TAKEAWAY,
    Branch.DELIVERY: pb.PLATFORM_BRANCH_DELIVERY,
    Branch.FREIGHT: pb.PLATFORM_BRANCH_FREIGHT,
}


def flexible_enrolled(result: tuple[Cover, bool]) -> pb.EnrollFlexibleResponse:
    """Answer EnrollFlexible."""
    return pb.EnrollFlexibleResponse(cover=cover_model(result[0]), person_created=result[1])


def resident_enrolled(result: tuple[Cover, bool]) -> pb.EnrollResidentResponse:
    """Answer EnrollResident."""
    return pb.EnrollResidentResponse(cover=cover_model(result[0]), person_created=result[1])


def cover(one: Cover) -> pb.GetCoverResponse:
    """Answer GetCover."""
    return pb.GetCoverResponse(cover=cover_model(one))


def base_changed(one: Cover) -> pb.ChangeCoverBaseResponse:
    """Answer ChangeCoverBase."""
    return pb.ChangeCoverBaseResponse(cover=cover_model(one))


def cover_suspended(one: Cover) -> pb.SuspendCoverResponse:
    """Answer SuspendCover."""
    return pb.SuspendCoverResponse(cover=cover_model(one))


def cover_resumed(one: Cover) -> pb.ResumeCoverResponse:
    """Answer ResumeCover."""
    return pb.ResumeCoverResponse(cover=cover_model(one))


def cover_ended(one: Cover) -> pb.EndCoverResponse:
    """Answer EndCover."""
    return pb.EndCoverResponse(cover=cover_model(one))


def cover_billed(bill: Bill) -> pb.AssessCoverBillResponse:
    """Answer AssessCoverBill."""
    return pb.AssessCoverBillResponse(bill=bill_model(bill))


def resident_year_assessed(one: ResidentPayment) -> pb.AssessResidentYearResponse:
    """Answer AssessResidentYear."""
    return pb.AssessResidentYearResponse(payment=_payment(one))


def resident_paid(result: tuple[ResidentPayment, SchemeAccount]) -> pb.RecordResidentPaymentResponse:
    """Answer RecordResidentPayment."""
    return pb.RecordResidentPaymentResponse(payment=_payment(result[0]), account=_account(result[1]))


def scheme_accounts(accounts: Sequence[SchemeAccount]) -> pb.ListSchemeAccountsResponse:
    """Answer ListSchemeAccounts."""
    return pb.ListSchemeAccountsResponse(accounts=[_account(one) for one in accounts])


def kind_set(result: tuple[Employer, EmployerKind]) -> pb.SetEmployerKindResponse:
    """Answer SetEmployerKind."""
    return pb.SetEmployerKindResponse(employer=employer_model(result[0]), kind=EMPLOYER_KINDS[result[1]])


def post_enrolled(result: tuple[Enrollment, bool]) -> pb.EnrollPostResponse:
    """Answer EnrollPost."""
    return pb.EnrollPostResponse(enrollment=enrollment_model(result[0]), person_created=result[1])


def posts_billed(bill: Bill) -> pb.AssessPostBillResponse:
    """Answer AssessPostBill."""
    return pb.AssessPostBillResponse(bill=bill_model(bill))


def enrollment_suspended(one: Enrollment) -> pb.SuspendEnrollmentResponse:
    """Answer SuspendEnrollment."""
    return pb.SuspendEnrollmentResponse(enrollment=enrollment_model(one))


def enrollment_resumed(one: Enrollment) -> pb.ResumeEnrollmentResponse:
    """Answer ResumeEnrollment."""
    return pb.ResumeEnrollmentResponse(enrollment=enrollment_model(one))


def back_payment(one: BackPayment, policy_version: str) -> pb.AssessBackPaymentResponse:
    """Answer AssessBackPayment."""
    return pb.AssessBackPaymentResponse(
        back_payment_id=ids.to_text("bpy", one.back_payment_id),
        statement=to_statement(one.statement, policy_version),
        bills=[bill_model(bill) for bill in one.bills],
    )


def overlap(found: Sequence[Overlap], policy_version: str) -> pb.GetOverlapResponse:
    """Answer GetOverlap."""
    return pb.GetOverlapResponse(overlaps=[_overlap(one, policy_version) for one in found])


def overlap_refunded(found: Sequence[Overlap], policy_version: str) -> pb.RefundOverlapResponse:
    """Answer RefundOverlap."""
    return pb.RefundOverlapResponse(overlaps=[_overlap(one, policy_version) for one in found])


def project_registered(one: Project) -> pb.RegisterProjectResponse:
    """Answer RegisterProject."""
    return pb.RegisterProjectResponse(project=_project(one))


def project(one: Project) -> pb.GetProjectResponse:
    """Answer GetProject."""
    return pb.GetProjectResponse(project=_project(one))


def project_paid(one: Project) -> pb.RecordProjectPremiumResponse:
    """Answer RecordProjectPremium."""
    return pb.RecordProjectPremiumResponse(project=_project(one))


def worker_added(result: tuple[UUID, bool]) -> pb.AddProjectWorkerResponse:
    """Answer AddProjectWorker."""
    return pb.AddProjectWorkerResponse(person_id=ids.to_text("per", result[0]), person_created=result[1])


def project_completed(one: Project) -> pb.CompleteProjectResponse:
    """Answer CompleteProject."""
    return pb.CompleteProjectResponse(project=_project(one))


def project_cover(one: Project, *, covered: bool, named: bool) -> pb.GetProjectCoverResponse:
    """Answer GetProjectCover."""
    return pb.GetProjectCoverResponse(
        covered=covered,
        named=named,
        premium_paid=one.paid_date is not None,
        first_day=to_date(one.start_date),
        last_day=to_date(one.completion_date) if one.completion_date else None,
    )


def orders_reported(one: PlatformMonth) -> pb.ReportPlatformOrdersResponse:
    """Answer ReportPlatformOrders."""
    return pb.ReportPlatformOrdersResponse(platform_month=_platform_month(one))


def platform_paid(one: PlatformMonth) -> pb.RecordPlatformPremiumResponse:
    """Answer RecordPlatformPremium."""
    return pb.RecordPlatformPremiumResponse(platform_month=_platform_month(one))


def platform_cover(orders: Sequence[PlatformOrders]) -> pb.GetPlatformCoverResponse:
    """Answer GetPlatformCover."""
    return pb.GetPlatformCoverResponse(
        covered=bool(orders),
        orders=[
            pb.PlatformOrders(
                employer_id=ids.to_text("emp", one.employer_id), branch=BRANCHES[one.branch], orders=one.orders
            )
            for one in orders
        ],
    )


def _payment(one: ResidentPayment) -> pb.ResidentPayment:
    return pb.ResidentPayment(
        resident_payment_id=ids.to_text("rpy", one.payment_id),
        year=one.year,
        tier=to_money(one.tier),
        subsidy=to_money(one.subsidy),
        aid=to_money(one.aid),
        paid=one.paid_date is not None,
        statement=to_statement(one.statement, one.policy_version),
        refunded=to_money(one.refunded),
    )


def _account(one: SchemeAccount) -> pb.SchemeAccount:
    return pb.SchemeAccount(
        scheme=SCHEMES[one.scheme],
        balance=to_money(one.balance),
        entries=[
            pb.SchemeAccountEntry(
                part=entry.part,
                source=entry.source,
                booked_month=to_month(entry.booked),
                amount=to_money(entry.amount),
            )
            for entry in one.entries
        ],
    )


def _overlap(one: Overlap, policy_version: str) -> pb.Overlap:
    return pb.Overlap(
        kind=COVER_KINDS[one.kind],
        months=[to_month(month) for month in one.months],
        amount=to_money(one.statement.total),
        statement=to_statement(one.statement, policy_version),
        refund_id=ids.to_text("rfd", one.refund_id) if one.refund_id else "",
    )


def _project(one: Project) -> model.Project:
    return model.Project(
        project_id=ids.to_text("prj", one.project_id),
        employer_id=ids.to_text("emp", one.employer_id),
        permit_no=one.permit_no,
        name=one.name,
        contract_price=to_money(one.contract_price),
        start_date=to_date(one.start_date),
        planned_date=to_date(one.planned_date),
        completion_date=to_date(one.completion_date) if one.completion_date else None,
        premium=to_money(one.premium),
        statement=to_statement(one.statement, one.policy_version),
        paid=one.paid_date is not None,
        named_count=one.named_count,
    )


def _platform_month(one: PlatformMonth) -> pb.PlatformMonth:
    return pb.PlatformMonth(
        platform_month_id=ids.to_text("plm", one.platform_month_id),
        employer_id=ids.to_text("emp", one.employer_id),
        month=to_month(one.month),
        branch=BRANCHES[one.branch],
        orders=one.orders,
        premium=to_money(one.premium),
        statement=to_statement(one.statement, one.policy_version),
        paid=one.paid_date is not None,
    )
