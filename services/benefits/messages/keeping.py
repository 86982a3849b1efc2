"""Certification, suspensions and requests of the room of keeping, as answers."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from chassis.values import to_date, to_job, to_month
from hrss.benefits.v1 import keeping_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.calendar import Month
from services.benefits.keeping import (
    SCHEME_OF,
    Source,
    SuspendReason,
)
from services.benefits.lifecycle import BenefitState
from services.benefits.messages.keeping_codes import KINDS, REASONS, SOURCES, STATES
from services.benefits.messages.keeping_debts import _optional
from services.benefits.messages.keeping_words import request_en, request_zh
from services.benefits.messages.states import BENEFIT_KINDS, BENEFIT_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from chassis.jobs import Job
    from services.benefits.operations.keeping_certification import DuePage, Figures, PersonCertified, Standing
    from services.benefits.operations.keeping_queries import BenefitKept, JobShown
    from services.benefits.store.keeping_requests import Request


CSV_COLUMNS = ("benefit_id", "person_id", "scheme", "last_date", "due_date")


def certified(shown: PersonCertified) -> pb.CertifyPersonResponse:
    """After a certification."""
    return pb.CertifyPersonResponse(benefits=[_standing(one) for one in shown.standings], repeated=not shown.is_new)


def face_checked(shown: PersonCertified) -> pb.RecordFaceCheckResponse:
    """After a face check."""
    return pb.RecordFaceCheckResponse(benefits=[_standing(one) for one in shown.standings], repeated=not shown.is_new)


def certification(shown: PersonCertified) -> pb.GetCertificationResponse:
    """When a person's certifications are due."""
    return pb.GetCertificationResponse(
        benefits=[_standing(one) for one in shown.standings],
        certifications=[
            pb.Certification(
                source=SOURCES[Source(row["source"])],
                certified_date=to_date(row["certified_date"]),
                evidence_ref=row["evidence"],
                simulated=row["simulated"],
                share=row["share"],
            )
            for row in shown.certifications
        ],
    )


def import_started(job: Job) -> pb.ImportCertificationsResponse:
    """The job that certifies."""
    return pb.ImportCertificationsResponse(job=to_job(job))


def sweep_started(job: Job) -> pb.StartCertificationSweepResponse:
    """The job that holds back."""
    return pb.StartCertificationSweepResponse(job=to_job(job))


def job_shown(shown: JobShown) -> pb.GetKeepingJobResponse:
    """A job and what it did not take."""
    return pb.GetKeepingJobResponse(
        job=to_job(shown.job),
        rejects=[
            job_pb2.JobReject(line=one.line, code=one.code, text_zh=one.text_zh, text_en=one.text_en)
            for one in shown.rejects
        ],
    )


def due_page(page: DuePage) -> pb.ListCertificationsDueResponse:
    """Who is due."""
    rows = []
    for one in page.rows:
        row = pb.DueBeneficiary(
            benefit_id=ids.to_text("ben", one.benefit_id),
            person_id=ids.to_text("per", one.person_id),
            kind=BENEFIT_KINDS[one.kind],
            last_date=to_date(one.last_date),
            due_date=to_date(one.due_by),
        )
        if one.suspended_from is not None:
            row.suspended_from.CopyFrom(to_month(one.suspended_from))
        rows.append(row)
    return pb.ListCertificationsDueResponse(beneficiaries=rows, next_page_token=page.next_page_token)


def reminders(page: DuePage, *, is_first: bool) -> pb.ReadRemindersResponse:
    """The reminders as CSV; ids and dates only, so nothing in it can be a formula or a name."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    if is_first:
        lines.writerow(CSV_COLUMNS)
    lines.writerows(
        (
            ids.to_text("ben", one.benefit_id),
            ids.to_text("per", one.person_id),
            SCHEME_OF[one.kind],
            one.last_date.isoformat(),
            one.due_by.isoformat(),
        )
        for one in page.rows
    )
    return pb.ReadRemindersResponse(csv=text.getvalue(), row_count=len(page.rows), next_page_token=page.next_page_token)


def figures(shown: Figures) -> pb.GetCertificationFiguresResponse:
    """How the certification of the city goes."""
    kinds = {kind.value: number for kind, number in BENEFIT_KINDS.items()}
    return pb.GetCertificationFiguresResponse(
        kinds=[
            pb.CertificationFigure(
                kind=kinds[row["kind"]],
                beneficiary_count=row["beneficiaries"],
                certified_count=row["certified"],
                reminded_count=row["reminded"],
                overdue_count=row["overdue"],
                suspended_count=row["suspended"],
                held_count=row["held"],
            )
            for row in shown.by_kind
        ],
        sources=[
            pb.SourceFigure(source=SOURCES[Source(row["source"])], count=row["count"], simulated_count=row["simulated"])
            for row in shown.by_source
        ],
    )


def suspension_asked(request: Request) -> pb.AskSuspensionResponse:
    """What waits now."""
    return pb.AskSuspensionResponse(request=matter(request))


def resumption_asked(request: Request) -> pb.AskResumptionResponse:
    """What waits now."""
    return pb.AskResumptionResponse(request=matter(request))


def payee_asked(asked: tuple[Request, str]) -> pb.AskPayeeChangeResponse:
    """What waits now, with the end of the new account."""
    return pb.AskPayeeChangeResponse(request=matter(asked[0]), new_account_masked=_masked(asked[1]))


def plan_asked(request: Request) -> pb.AskRecoveryPlanResponse:
    """What waits now."""
    return pb.AskRecoveryPlanResponse(request=matter(request))


def write_off_asked(request: Request) -> pb.AskWriteOffResponse:
    """What waits now."""
    return pb.AskWriteOffResponse(request=matter(request))


def decided(request: Request) -> pb.DecideKeepingRequestResponse:
    """What was decided."""
    return pb.DecideKeepingRequestResponse(request=matter(request))


def waiting(page: tuple[Sequence[Request], str]) -> pb.ListKeepingRequestsResponse:
    """What waits."""
    return pb.ListKeepingRequestsResponse(requests=[matter(one) for one in page[0]], next_page_token=page[1])


def kept(shown: BenefitKept) -> pb.GetBenefitKeepingResponse:
    """When and why a benefit was held back, and its accounts."""
    return pb.GetBenefitKeepingResponse(
        suspensions=[_suspension(row) for row in shown.suspensions],
        payee_changes=[
            pb.PayeeChange(
                number=row["number"],
                change_date=to_date(row["business_date"]),
                old_account_masked=_masked(row["old_tail"]),
                new_account_masked=_masked(row["new_tail"]),
            )
            for row in shown.payees
        ],
    )


def _standing(one: Standing) -> pb.BenefitCertification:
    said = one.certification
    return pb.BenefitCertification(
        benefit_id=ids.to_text("ben", one.benefit_id),
        kind=BENEFIT_KINDS[one.kind],
        last_date=to_date(one.last_date),
        certified=one.is_certified,
        due_date=to_date(said.due_by),
        remind_date=to_date(said.reminded_from),
        suspended_from=to_month(said.suspended_from),
        due=said.is_due,
        state=BENEFIT_STATES[BenefitState(one.state)],
        suspend_reason=REASONS[SuspendReason(one.suspend_reason)]
        if one.suspend_reason
        else pb.SUSPENSION_REASON_UNSPECIFIED,
        sources=list(dict.fromkeys(source for use in said.parameters for source in use.sources)),
    )


def _suspension(row: Record) -> pb.Suspension:
    one = pb.Suspension(
        reason=REASONS[SuspendReason(row["reason"])],
        evidence_ref=row["evidence"],
        from_month=to_month(Month.of(row["from_month"])),
        suspend_date=to_date(row["business_date"]),
    )
    if row["closed_date"]:
        one.resume_date.CopyFrom(to_date(row["closed_date"]))
    if row["paid_from"]:
        one.paid_from.CopyFrom(to_month(Month.of(row["paid_from"])))
    if row["forfeited_through"]:
        one.forfeited_through.CopyFrom(to_month(Month.of(row["forfeited_through"])))
    return one


def matter(one: Request) -> pb.KeepingMatter:
    """What waits for a second person, or waited."""
    plain = json.loads(one.payload)
    return pb.KeepingMatter(
        keeping_request_id=ids.to_text("kpr", one.request_id),
        kind=KINDS[one.kind],
        benefit_id=ids.to_text("ben", one.benefit_id),
        recovery_id=_optional("rcv", one.recovery_id),
        person_id=ids.to_text("per", one.person_id),
        evidence_ref=one.evidence,
        state=STATES[one.state],
        ask_date=to_date(one.business_date),
        summary_zh=request_zh(one.kind, plain),
        summary_en=request_en(one.kind, plain),
    )


def _masked(tail: str) -> str:
    return f"**** {tail}"
