"""OfficeService: requests as values, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_date, to_job, to_money, to_month
from hrss.benefits.v1 import keeping_service_pb2 as keeping
from hrss.benefits.v1 import office_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.lifecycle import DeterminationState, Kind, PaymentItem
from services.benefits.messages import paying
from services.benefits.messages.states import BENEFIT_KINDS, DETERMINATION_STATES, PAYMENT_ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from chassis.jobs import Job
    from services.benefits.operations.keeping_queries import JobShown
    from services.benefits.operations.office import Progress

_STATES = {number: state for state, number in DETERMINATION_STATES.items()}
_Page = tuple["Sequence[Record]", str]


def determination_state(request: pb.ListDeterminationsRequest) -> str:
    """Which determinations; those that wait unless others are named."""
    return _STATES.get(request.state, DeterminationState.PREPARED).value


def suspension_reason(request: pb.ListSuspendedBenefitsRequest) -> str:
    """Which reason; empty for every one."""
    name = keeping.SuspensionReason.Name(request.reason).removeprefix("SUSPENSION_REASON_")
    return "" if name == "UNSPECIFIED" else name


def determinations(page: _Page) -> pb.ListDeterminationsResponse:
    """A page of determinations."""
    return pb.ListDeterminationsResponse(
        determinations=[_determination(row) for row in page[0]], next_page_token=page[1]
    )


def releases(page: _Page) -> pb.ListReleasesResponse:
    """A page of releases."""
    return pb.ListReleasesResponse(releases=[paying.release(row) for row in page[0]], next_page_token=page[1])


def suspended(page: _Page) -> pb.ListSuspendedBenefitsResponse:
    """A page of benefits that are held back."""
    return pb.ListSuspendedBenefitsResponse(
        benefits=[
            pb.SuspendedBenefit(
                benefit_id=ids.to_text("ben", row["benefit_id"]),
                person_id=ids.to_text("per", row["person_id"]),
                kind=BENEFIT_KINDS[Kind(row["kind"])],
                monthly=to_money(Money(row["monthly_fen"])),
                reason=keeping.SuspensionReason.Value(f"SUSPENSION_REASON_{row['suspend_reason']}"),
                from_month=to_month(Month.of(row["suspended_from"])),
            )
            for row in page[0]
        ],
        next_page_token=page[1],
    )


def progress(shown: Progress) -> pb.GetPayrollProgressResponse:
    """How far a payroll is."""
    message = pb.GetPayrollProgressResponse(
        job=to_job(shown.job),
        kinds=[
            pb.PayrollKind(
                kind=BENEFIT_KINDS[Kind(row["kind"])],
                item=PAYMENT_ITEMS[PaymentItem(row["item"])],
                payment_count=row["payment_count"],
                total=to_money(Money(row["total_fen"])),
            )
            for row in shown.kinds
        ],
        returns=[
            pb.PayrollReturn(
                return_id=ids.to_text("rfl", row["return_id"]),
                job=to_job(job),
                simulated=row["simulated"],
                receive_date=to_date(row["business_date"]),
            )
            for row, job in shown.returns
        ],
    )
    if shown.file is not None:
        message.file.CopyFrom(paying.file_message(shown.file))
    return message


def job(shown: JobShown) -> pb.GetBenefitJobResponse:
    """A job with the first rows that it did not take."""
    return pb.GetBenefitJobResponse(
        job=to_job(shown.job),
        rejects=[
            job_pb2.JobReject(line=one.line, code=one.code, text_zh=one.text_zh, text_en=one.text_en)
            for one in shown.rejects
        ],
    )


def jobs_listed(listed: tuple[Sequence[Job], str]) -> pb.ListBenefitJobsResponse:
    """A page of jobs."""
    return pb.ListBenefitJobsResponse(jobs=map(to_job, listed[0]), next_page_token=listed[1])


def _determination(row: Record) -> pb.DeterminationRow:
    message = pb.DeterminationRow(
        determination_id=ids.to_text("det", row["determination_id"]),
        person_id=ids.to_text("per", row["person_id"]),
        kind=BENEFIT_KINDS[Kind(row["kind"])],
        state=DETERMINATION_STATES[DeterminationState(row["state"])],
        first_month=to_month(Month.of(row["first_month"])),
        amount=to_money(Money(row["total_fen"])),
        provisional=row["provisional"],
        prepare_date=to_date(row["prepare_date"]),
        rejection_reason=row["rejection_reason"],
    )
    if row["last_month"] is not None:
        message.last_month.CopyFrom(to_month(Month.of(row["last_month"])))
    return message
