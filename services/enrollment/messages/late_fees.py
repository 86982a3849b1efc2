"""Late fees of a day and reminders in the contract: requests read, replies written."""

import hashlib
from collections.abc import Sequence
from datetime import date

from chassis.jobs import Job
from chassis.values import date_of, to_date, to_job, to_money
from hrss.enrollment.v1 import collection_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput
from kernel.money import Money
from services.enrollment.arrears import Arrear, LateFeeRun, Reminded, reminder_csv
from services.enrollment.messages.arrears import arrear


def day(request: pb.StartLateFeeRunRequest | pb.GetReminderRequest) -> date | None:
    """Read a day that may be absent.

    Raises:
        InvalidInput: DATE_IMPOSSIBLE.
    """
    return date_of(request.on, "on") if request.HasField("on") else None


def run_day(request: pb.GetLateFeeRunRequest | pb.ListRemindersRequest) -> date:
    """Read the day of a run.

    Raises:
        InvalidInput: DATE_IMPOSSIBLE.
    """
    if not request.HasField("on"):
        raise InvalidInput("DATE_IMPOSSIBLE", "a run is named by its day", field="on")
    return date_of(request.on, "on")


def started(result: tuple[LateFeeRun, Job]) -> pb.StartLateFeeRunResponse:
    """Answer StartLateFeeRun."""
    return pb.StartLateFeeRunResponse(late_fee_run=_run(*result))


def shown(result: tuple[LateFeeRun, Job]) -> pb.GetLateFeeRunResponse:
    """Answer GetLateFeeRun."""
    return pb.GetLateFeeRunResponse(late_fee_run=_run(*result))


def reminders(result: tuple[LateFeeRun, Sequence[Reminded], str]) -> pb.ListRemindersResponse:
    """Answer ListReminders."""
    _, found, following = result
    return pb.ListRemindersResponse(
        reminders=[
            pb.ReminderEntry(
                employer_id=ids.to_text("emp", one.employer_id),
                document_count=one.documents,
                open=to_money(one.open),
                late_fee=to_money(one.fee),
                earliest_due_date=to_date(one.earliest_due) if one.earliest_due else None,
            )
            for one in found
        ],
        next_page_token=following,
    )


def reminder(result: tuple[date, Sequence[Arrear]], version: str) -> pb.GetReminderResponse:
    """Answer GetReminder."""
    on, found = result
    content = reminder_csv(on, found)
    return pb.GetReminderResponse(
        arrears=[arrear(one, version) for one in found],
        open=to_money(Money.total(one.open for one in found)),
        late_fee=to_money(Money.total(one.fee.total for one in found if one.fee)),
        on=to_date(on),
        csv=content,
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )


def _run(run: LateFeeRun, job: Job) -> pb.LateFeeRun:
    return pb.LateFeeRun(
        late_fee_run_id=ids.to_text("lfr", run.run_id),
        on=to_date(run.on),
        job=to_job(job),
        document_count=run.documents,
        employer_count=run.employers,
        open=to_money(run.open),
        late_fee=to_money(run.fee),
        demand_count=run.demands,
        with_demands=run.with_demands,
    )
