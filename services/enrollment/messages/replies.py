"""Values of enrolment as replies of the contract."""

from collections.abc import Sequence

from chassis.jobs import Job, Reject
from chassis.values import to_date, to_job, to_money, to_month, to_statement
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2, money_pb2
from kernel import ids
from kernel.statement import Statement
from services.enrollment.accounting import Account, ContributionMonth, Year
from services.enrollment.billing import Bill, BillKind, BillLine, BillState, schemes_of
from services.enrollment.cover import Insurance
from services.enrollment.domain.contributions import Side
from services.enrollment.messages import cover_models
from services.enrollment.messages.words import CONTRIBUTION_STATES, END_REASONS, SCHEMES, SEXES, STATES, TRACKS
from services.enrollment.register import (
    Employer,
    EndReason,
    Enrollment,
    Participation,
    Person,
    Post,
    mask_id_no,
    mask_name,
)

_POSTS = {None: model.POST_UNSPECIFIED, Post.MANAGEMENT: model.POST_MANAGEMENT, Post.PRODUCTION: model.POST_PRODUCTION}
_BILL_KINDS = {
    BillKind.EMPLOYER: model.BILL_KIND_EMPLOYER,
    BillKind.BACK_PAYMENT: model.BILL_KIND_BACK_PAYMENT,
    BillKind.GOVERNMENT: model.BILL_KIND_GOVERNMENT,
    BillKind.FLEXIBLE: model.BILL_KIND_FLEXIBLE,
}
BILL_STATES = {
    BillState.ISSUED: model.BILL_STATE_ISSUED,
    BillState.PART_PAID: model.BILL_STATE_PART_PAID,
    BillState.PAID: model.BILL_STATE_PAID,
}


def shown_employer(employer: Employer) -> model.Employer:
    """An employer as every answer shows it."""
    return employer_model(employer)


def masked(person: Person) -> model.Person:
    """A person as every answer shows one: masked."""
    return _person(person)


def employer_registered(employer: Employer) -> pb.RegisterEmployerResponse:
    """Answer RegisterEmployer."""
    return pb.RegisterEmployerResponse(employer=employer_model(employer))


def employer(employer: Employer) -> pb.GetEmployerResponse:
    """Answer GetEmployer."""
    return pb.GetEmployerResponse(employer=employer_model(employer))


def person_enrolled(result: tuple[Enrollment, bool]) -> pb.EnrollPersonResponse:
    """Answer EnrollPerson."""
    return pb.EnrollPersonResponse(enrollment=enrollment_model(result[0]), person_created=result[1])


def enrollment(enrollment: Enrollment) -> pb.GetEnrollmentResponse:
    """Answer GetEnrollment."""
    return pb.GetEnrollmentResponse(enrollment=enrollment_model(enrollment))


def enrollment_ended(enrollment: Enrollment) -> pb.EndEnrollmentResponse:
    """Answer EndEnrollment."""
    return pb.EndEnrollmentResponse(enrollment=enrollment_model(enrollment))


def wage_declared(enrollment: Enrollment) -> pb.DeclareWageResponse:
    """Answer DeclareWage."""
    return pb.DeclareWageResponse(enrollment=enrollment_model(enrollment))


def bill_assessed(bill: Bill) -> pb.AssessBillResponse:
    """Answer AssessBill."""
    return pb.AssessBillResponse(bill=bill_model(bill))


def bill(bill: Bill) -> pb.GetBillResponse:
    """Answer GetBill."""
    return pb.GetBillResponse(bill=bill_model(bill))


def bills(page: tuple[Sequence[Bill], str]) -> pb.ListBillsResponse:
    """Answer ListBills."""
    return pb.ListBillsResponse(bills=[bill_model(one) for one in page[0]], next_page_token=page[1])


def bill_lines(page: tuple[Sequence[tuple[BillLine, Statement]], str, str]) -> pb.ListBillLinesResponse:
    """Answer ListBillLines: lines with their statements, policy version of the bill, token of the next page."""
    lines, policy_version, token = page
    return pb.ListBillLinesResponse(
        lines=[
            model.BillLine(
                person_id=ids.to_text("per", line.person_id),
                wage=to_money(line.wage),
                base=to_money(line.base),
                statement=to_statement(statement, policy_version),
            )
            for line, statement in lines
        ],
        next_page_token=token,
    )


def receipt_recorded(result: tuple[Bill, int]) -> pb.RecordReceiptResponse:
    """Answer RecordReceipt."""
    return pb.RecordReceiptResponse(bill=bill_model(result[0]), settled_count=result[1])


def person_found(person: Person) -> pb.FindPersonResponse:
    """Answer FindPerson."""
    return pb.FindPersonResponse(person=_person(person))


def person(person: Person) -> pb.GetPersonResponse:
    """Answer GetPerson."""
    return pb.GetPersonResponse(person=_person(person))


def applicant(person: Person) -> pb.GetApplicantResponse:
    """Answer GetApplicant."""
    return pb.GetApplicantResponse(person=_person(person), last_four=person.id_no[-4:])


def insurance(result: Insurance) -> pb.GetInsuranceResponse:
    """Answer GetInsurance: participations of whatever kind, months by scheme, what stands behind them."""
    return pb.GetInsuranceResponse(
        participations=[_participation(one) for one in result.participations],
        months=[
            pb.SchemeMonths(scheme=SCHEMES[scheme], paid_months=paid, deemed_months=deemed)
            for scheme, (paid, deemed) in result.months.items()
        ],
        employments=[
            model.Employment(
                enrollment_id=ids.to_text("enr", one.enrollment_id),
                employer_id=ids.to_text("emp", one.employer_id),
                employer_name=one.employer_name,
                start_month=to_month(one.start_month),
                end_month=to_month(one.end_month) if one.end_month else None,
            )
            for one in result.employments
        ],
        covers=[cover_models.cover_model(one) for one in result.covers],
        projects=[cover_models.project_cover_model(one) for one in result.projects],
        platforms=[cover_models.platform_cover_model(one) for one in result.platforms],
    )


def contributions(page: tuple[Sequence[ContributionMonth], str]) -> pb.ListContributionsResponse:
    """Answer ListContributions; filled in place, which takes a third of the time of messages made and copied."""
    reply = pb.ListContributionsResponse(next_page_token=page[1])
    for one in page[0]:
        shown = reply.months.add(scheme=SCHEMES[one.scheme], state=CONTRIBUTION_STATES[one.state], source=one.source)
        shown.month.year, shown.month.month = one.month.year, one.month.month
        shown.base.fen, shown.employer.fen, shown.employee.fen = one.base.fen, one.employer.fen, one.employee.fen
    return reply


def account(result: tuple[Account, Sequence[Year]]) -> pb.GetAccountResponse:
    """Answer GetAccount."""
    account, years = result
    return pb.GetAccountResponse(
        balance=to_money(account.balance),
        years=[_year(year) for year in years],
        settle_month=to_month(account.settle_month) if account.settle_month else None,
    )


def year_closing(job: Job) -> pb.CloseAccountYearResponse:
    """Answer CloseAccountYear."""
    return pb.CloseAccountYearResponse(job=to_job(job))


def account_settled(result: tuple[Statement, str]) -> pb.SettleAccountResponse:
    """Answer SettleAccount: the statement and the policy version it was made with."""
    statement, policy_version = result
    return pb.SettleAccountResponse(
        balance=to_money(statement.total), statement=to_statement(statement, policy_version)
    )


def import_started(job: Job) -> pb.ImportHistoryResponse:
    """Answer ImportHistory."""
    return pb.ImportHistoryResponse(job=to_job(job))


def roster_started(job: Job) -> pb.ImportRosterResponse:
    """Answer ImportRoster."""
    return pb.ImportRosterResponse(job=to_job(job))


def jobs_listed(listed: tuple[Sequence[Job], str]) -> pb.ListEnrollmentJobsResponse:
    """Answer ListEnrollmentJobs."""
    return pb.ListEnrollmentJobsResponse(jobs=map(to_job, listed[0]), next_page_token=listed[1])


def job(job: Job) -> pb.GetEnrollmentJobResponse:
    """Answer GetEnrollmentJob."""
    return pb.GetEnrollmentJobResponse(job=to_job(job))


def rejects(page: tuple[Sequence[Reject], str]) -> pb.ListEnrollmentJobRejectsResponse:
    """Answer ListEnrollmentJobRejects."""
    return pb.ListEnrollmentJobRejectsResponse(
        rejects=[
            job_pb2.JobReject(line=one.line, code=one.code, text_zh=one.text_zh, text_en=one.text_en) for one in page[0]
        ],
        next_page_token=page[1],
    )


def employer_model(employer: Employer) -> model.Employer:
    """An employer of the contract."""
    return model.Employer(
        employer_id=ids.to_text("emp", employer.employer_id),
        credit_code=employer.credit_code,
        name=employer.name,
        division=employer.division,
        injury_class=employer.injury_class,
        injury_step=money_pb2.Rate(decimal=str(employer.injury_step)),
        register_date=to_date(employer.register_date),
    )


def _person(person: Person) -> model.Person:
    return model.Person(
        person_id=ids.to_text("per", person.person_id),
        name_masked=mask_name(person.name),
        id_no_masked=mask_id_no(person.id_no),
        birth_date=to_date(person.birth_date),
        sex=SEXES[person.sex],
        division=person.division,
    )


def enrollment_model(enrollment: Enrollment) -> model.Enrollment:
    """An enrolment of the contract."""
    return model.Enrollment(
        enrollment_id=ids.to_text("enr", enrollment.enrollment_id),
        person_id=ids.to_text("per", enrollment.person_id),
        employer_id=ids.to_text("emp", enrollment.employer_id),
        start_month=to_month(enrollment.start_month),
        end_month=to_month(enrollment.end_month) if enrollment.end_month else None,
        end_reason=_end_reason(enrollment.end_reason),
        post=_POSTS[enrollment.post],
        wages=[
            model.DeclaredWage(from_month=to_month(wage.from_month), wage=to_money(wage.amount))
            for wage in enrollment.wages
        ],
        participations=[_participation(one) for one in enrollment.participations],
    )


def _participation(one: Participation) -> model.Participation:
    return model.Participation(
        participation_id=ids.to_text("par", one.participation_id),
        person_id=ids.to_text("per", one.person_id),
        employer_id=ids.to_text("emp", one.employer_id) if one.employer_id else "",
        cover_id=ids.to_text("cov", one.cover_id) if one.cover_id else "",
        scheme=SCHEMES[one.scheme],
        state=STATES[one.state],
        start_month=to_month(one.start_month),
        end_month=to_month(one.end_month) if one.end_month else None,
        end_reason=_end_reason(one.end_reason),
        track=TRACKS[one.track] if one.track else model.TRACK_UNSPECIFIED,
    )


def _end_reason(reason: EndReason | None) -> model.EndReason.ValueType:
    return END_REASONS[reason] if reason else model.END_REASON_UNSPECIFIED


def bill_model(bill: Bill) -> model.Bill:
    """A bill of the contract."""
    return model.Bill(
        bill_id=ids.to_text("bil", bill.bill_id),
        employer_id=ids.to_text("emp", bill.employer_id) if bill.employer_id else "",
        payer_person_id=ids.to_text("per", bill.payer_id) if bill.payer_id else "",
        kind=_BILL_KINDS[bill.kind],
        late_fee=to_money(bill.late_fee),
        month=to_month(bill.month),
        state=BILL_STATES[bill.state],
        total=to_money(bill.total),
        paid=to_money(bill.paid),
        person_count=bill.person_count,
        subtotals=[
            model.BillSubtotal(
                scheme=number,
                employer=to_money(bill.side(scheme, Side.EMPLOYER)),
                employee=to_money(bill.side(scheme, Side.EMPLOYEE)),
            )
            for scheme, number in SCHEMES.items()
            if scheme in schemes_of(bill.kind)
        ],
        provisional=bill.provisional,
        assess_date=to_date(bill.assess_date),
    )


def _year(year: Year) -> model.AccountYear:
    return model.AccountYear(
        year=year.year,
        opening=to_money(year.opening),
        contribution=to_money(year.contribution),
        interest=to_money(year.interest),
        imported=to_money(year.imported),
        moved=to_money(year.moved),
        closing=to_money(year.closing),
        closed=year.closed,
        statement=to_statement(year.statement, year.policy_version) if year.statement else None,
        source=year.source,
    )
