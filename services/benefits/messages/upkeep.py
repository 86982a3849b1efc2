"""The daily jobs and reminders on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_date, to_job, word_of
from hrss.benefits.v1 import upkeep_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from services.benefits.lifecycle import Kind
from services.benefits.messages.states import BENEFIT_KINDS
from services.benefits.upkeep import Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.jobs import Job
    from services.benefits.operations.upkeep import JobShown
    from services.benefits.store.upkeep import Reminder as ReminderRow

_TASKS = {
    pb.UPKEEP_TASK_RESIDENT_AMOUNTS: Task.RESIDENT_AMOUNTS,
    pb.UPKEEP_TASK_ALLOWANCES_TO_PENSIONS: Task.ALLOWANCES_TO_PENSIONS,
    pb.UPKEEP_TASK_REMINDERS: Task.REMINDERS,
}


def task(request: pb.StartUpkeepRequest) -> Task:
    """Which job is meant."""
    return word_of(_TASKS, request.task, "task")


def sent(request: pb.RecordRemindersRequest) -> list[UUID]:
    """The reminders that were sent."""
    return [ids.parse("rmd", one, field="reminder_ids") for one in request.reminder_ids]


def started(job: Job) -> pb.StartUpkeepResponse:
    """A job that began."""
    return pb.StartUpkeepResponse(job=to_job(job))


def shown(one: JobShown) -> pb.GetUpkeepJobResponse:
    """A job and what it could not do."""
    rejects = [
        job_pb2.JobReject(line=row.line, code=row.code, text_zh=row.text_zh, text_en=row.text_en) for row in one.rejects
    ]
    return pb.GetUpkeepJobResponse(job=to_job(one.job), rejects=rejects)


def reminders(page: tuple[Sequence[ReminderRow], str]) -> pb.ListCertificationRemindersResponse:
    """A page of reminders."""
    return pb.ListCertificationRemindersResponse(reminders=[_reminder(one) for one in page[0]], next_page_token=page[1])


def recorded(count: int) -> pb.RecordRemindersResponse:
    """How many were new."""
    return pb.RecordRemindersResponse(recorded_count=count)


def _reminder(one: ReminderRow) -> pb.Reminder:
    day = one.due_by
    return pb.Reminder(
        reminder_id=ids.to_text("rmd", one.reminder_id),
        person_id=ids.to_text("per", one.person_id),
        benefit_id=ids.to_text("ben", one.benefit_id),
        kind=BENEFIT_KINDS[Kind(one.kind)],
        due_date=to_date(day),
        text_zh=f"您的待遇领取资格认证将于 {day.year} 年 {day.month} 月 {day.day} 日到期，请在此之前完成认证，"
        "逾期将暂停发放，认证后补发。",
        text_en=f"Please certify your entitlement by {day.isoformat()}; payments are held back after that day and paid "
        "again once you have.",
    )
