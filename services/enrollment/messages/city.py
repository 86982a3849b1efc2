"""CityService: requests as values, values as replies."""

from chassis.jobs import Job
from chassis.values import month_of, to_date, to_job, to_money, to_month
from hrss.enrollment.v1 import city_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from services.enrollment.billing import BillKind, schemes_of
from services.enrollment.city import BillRun
from services.enrollment.domain.contributions import Side
from services.enrollment.messages.words import SCHEMES

_KINDS = {
    model.BILL_KIND_UNSPECIFIED: BillKind.EMPLOYER,
    model.BILL_KIND_EMPLOYER: BillKind.EMPLOYER,
    model.BILL_KIND_GOVERNMENT: BillKind.GOVERNMENT,
    model.BILL_KIND_FLEXIBLE: BillKind.FLEXIBLE,
}
_NUMBERS = {kind: number for number, kind in _KINDS.items()}


def month(request: pb.StartBillRunRequest | pb.GetBillRunRequest) -> Month:
    """Read the month of a run.

    Raises:
        InvalidInput: MONTH_REQUIRED, MONTH_IMPOSSIBLE.
    """
    if not request.HasField("month"):
        raise InvalidInput("MONTH_REQUIRED", "a month is required", field="month")
    return month_of(request.month, "month")


def kind(request: pb.StartBillRunRequest | pb.GetBillRunRequest) -> BillKind:
    """Read whose bills a run makes; employees' where nothing is said.

    Raises:
        InvalidInput: BILL_KIND_INVALID.
    """
    found = _KINDS.get(request.kind)
    if found is None:
        raise InvalidInput("BILL_KIND_INVALID", "months that were missed are billed one by one", field="kind")
    return found


def bill_run_started(result: tuple[BillRun, Job]) -> pb.StartBillRunResponse:
    """Answer StartBillRun."""
    return pb.StartBillRunResponse(bill_run=_bill_run(*result))


def bill_run(result: tuple[BillRun, Job]) -> pb.GetBillRunResponse:
    """Answer GetBillRun."""
    return pb.GetBillRunResponse(bill_run=_bill_run(*result))


def job_held(job: Job) -> pb.PauseEnrollmentJobResponse:
    """Answer PauseEnrollmentJob."""
    return pb.PauseEnrollmentJobResponse(job=to_job(job))


def job_goes_on(job: Job) -> pb.ResumeEnrollmentJobResponse:
    """Answer ResumeEnrollmentJob."""
    return pb.ResumeEnrollmentJobResponse(job=to_job(job))


def _bill_run(run: BillRun, job: Job) -> pb.BillRun:
    totals = run.totals
    return pb.BillRun(
        bill_run_id=ids.to_text("brn", run.run_id),
        month=to_month(run.month),
        job=to_job(job),
        bill_count=totals.bill_count,
        person_count=totals.person_count,
        subtotals=[
            model.BillSubtotal(
                scheme=number,
                employer=to_money(totals.side(scheme, Side.EMPLOYER)),
                employee=to_money(totals.side(scheme, Side.EMPLOYEE)),
            )
            for scheme, number in ((one, SCHEMES[one]) for one in schemes_of(totals.kind))
        ],
        total=to_money(totals.total),
        assess_date=to_date(run.assess_date),
        kind=_NUMBERS[totals.kind],
    )
