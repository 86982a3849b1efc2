"""KeepingService: requests as values, answers as messages."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

from chassis.values import date_of, money_of, month_of, to_date, to_job, to_money, to_month, word_of
from hrss.benefits.v1 import keeping_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.benefits.keeping import (
    SCHEME_OF,
    Certify,
    ChangePayee,
    Method,
    Plan,
    Repay,
    RequestKind,
    RequestState,
    Resume,
    Source,
    Suspend,
    SuspendReason,
    Way,
    WriteOff,
)
from services.benefits.lifecycle import BenefitState
from services.benefits.messages.keeping_words import recovery_en, recovery_zh, request_en, request_zh
from services.benefits.messages.requests import payee
from services.benefits.messages.states import BENEFIT_KINDS, BENEFIT_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.jobs import Job
    from services.benefits.operations.keeping_certification import DuePage, Figures, PersonCertified, Standing
    from services.benefits.operations.keeping_queries import BenefitKept, JobShown, Recoveries, RecoveryShown
    from services.benefits.store.keeping_requests import Request

SOURCES: dict[Source, pb.CertificationSource.ValueType] = {
    one: pb.CertificationSource.Value(f"CERTIFICATION_SOURCE_{one.value}") for one in Source
}
REASONS: dict[SuspendReason, pb.SuspensionReason.ValueType] = {
    one: pb.SuspensionReason.Value(f"SUSPENSION_REASON_{one.value}") for one in SuspendReason
}
KINDS: dict[RequestKind, pb.KeepingRequestKind.ValueType] = {
    one: pb.KeepingRequestKind.Value(f"KEEPING_REQUEST_KIND_{one.value}") for one in RequestKind
}
STATES: dict[RequestState, pb.KeepingRequestState.ValueType] = {
    one: pb.KeepingRequestState.Value(f"KEEPING_REQUEST_STATE_{one.value}") for one in RequestState
}
METHODS: dict[Method, pb.RecoveryMethod.ValueType] = {
    one: pb.RecoveryMethod.Value(f"RECOVERY_METHOD_{one.value}") for one in Method
}
WAYS: dict[Way, pb.RecoveryWay.ValueType] = {one: pb.RecoveryWay.Value(f"RECOVERY_WAY_{one.value}") for one in Way}
_BY_STAFF = {SOURCES[one]: one for one in (Source.COUNTER, Source.VISIT, Source.ENTRUSTED)}
_MONEY = {WAYS[one]: one for one in (Way.COUNTER, Way.BANK)}
_LISTS: dict[pb.DueList.ValueType, str] = {
    pb.DUE_LIST_UNSPECIFIED: "REMINDED",
    pb.DUE_LIST_REMINDED: "REMINDED",
    pb.DUE_LIST_OVERDUE: "OVERDUE",
    pb.DUE_LIST_SUSPENDED: "SUSPENDED",
}
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHARE_MOST = 60
CSV_COLUMNS = ("benefit_id", "person_id", "scheme", "last_date", "due_date")


# Requests -----------------------------------------------------------------------------------------------------------


def certify(request: pb.CertifyPersonRequest) -> Certify:
    """A success at the counter, on a visit, by an entrusted body."""
    if len(request.share) > _SHARE_MOST:
        raise InvalidInput("VALUE_REQUIRED", "a share is a short word", field="share")
    return Certify(
        person_id=ids.parse("per", request.person_id, field="person_id"),
        share=request.share,
        source=word_of(_BY_STAFF, request.source, "source"),
        certified_date=date_of(request.certified_date, "certified_date"),
        evidence=request.evidence_ref.strip(),
    )


def face_check(request: pb.RecordFaceCheckRequest) -> Certify:
    """The answer of a face check that was passed."""
    return Certify(
        person_id=ids.parse("per", request.person_id, field="person_id"),
        share="",
        source=Source.FACE,
        certified_date=date_of(request.certified_date, "certified_date"),
        evidence=request.evidence_ref.strip(),
        simulated=request.simulated,
    )


def upload(request: pb.ImportCertificationsRequest) -> tuple[str, str]:
    """Which file is meant.

    Raises:
        InvalidInput: DIGEST_INVALID.
    """
    ids.parse("upl", request.upload_id, field="upload_id")
    if not _DIGEST.fullmatch(request.digest):
        raise InvalidInput("DIGEST_INVALID", "a digest has 64 hexadecimal digits", field="digest")
    return request.upload_id, request.digest


def due_list(request: pb.ListCertificationsDueRequest) -> str:
    """Which list."""
    return word_of(_LISTS, request.list, "list")


def figures_month(request: pb.GetCertificationFiguresRequest) -> Month | None:
    """The month of the sources."""
    return month_of(request.month, "month") if request.HasField("month") else None


def suspend(request: pb.AskSuspensionRequest) -> Suspend:
    """Hold a benefit back."""
    return Suspend(
        benefit_id=ids.parse("ben", request.benefit_id, field="benefit_id"),
        reason=word_of({number: one for one, number in REASONS.items()}, request.reason, "reason"),
        from_month=month_of(request.from_month, "from_month"),
        evidence=request.evidence_ref,
    )


def resume(request: pb.AskResumptionRequest) -> Resume:
    """Pay a benefit again."""
    return Resume(
        benefit_id=ids.parse("ben", request.benefit_id, field="benefit_id"),
        from_month=month_of(request.from_month, "from_month") if request.HasField("from_month") else None,
        evidence=request.evidence_ref,
    )


def change_payee(request: pb.AskPayeeChangeRequest) -> ChangePayee:
    """Pay into another account."""
    return ChangePayee(
        ids.parse("ben", request.benefit_id, field="benefit_id"), payee(request.payee), request.evidence_ref
    )


def plan(request: pb.AskRecoveryPlanRequest) -> Plan:
    """An agreement."""
    return Plan(
        recovery_id=ids.parse("rcv", request.recovery_id, field="recovery_id"),
        method=word_of({number: one for one, number in METHODS.items()}, request.method, "method"),
        monthly=money_of(request.monthly, "monthly"),
        first_month=month_of(request.first_month, "first_month"),
        benefit_id=ids.parse("ben", request.benefit_id, field="benefit_id") if request.benefit_id else None,
        agreement=request.evidence_ref,
    )


def repay(request: pb.RecordRepaymentRequest) -> Repay:
    """Money that came back."""
    return Repay(
        recovery_id=ids.parse("rcv", request.recovery_id, field="recovery_id"),
        way=word_of(_MONEY, request.way, "way"),
        amount=money_of(request.amount, "amount"),
        receipt_no=request.receipt_no,
    )


def write_off(request: pb.AskWriteOffRequest) -> WriteOff:
    """Give up a part."""
    return WriteOff(
        recovery_id=ids.parse("rcv", request.recovery_id, field="recovery_id"),
        amount=money_of(request.amount, "amount"),
        evidence=request.evidence_ref,
    )


# Answers ------------------------------------------------------------------------------------------------------------


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


def person_recoveries(shown: Recoveries) -> pb.ListPersonRecoveriesResponse:
    """What a person was paid too much."""
    return pb.ListPersonRecoveriesResponse(
        recoveries=[_recovery(one) for one in shown.recoveries], balance=to_money(shown.balance)
    )


def recoveries(shown: Recoveries) -> pb.ListRecoveriesResponse:
    """What is still owed."""
    return pb.ListRecoveriesResponse(
        recoveries=[_recovery(one) for one in shown.recoveries], next_page_token=shown.next_page_token
    )


def recovery(shown: RecoveryShown) -> pb.GetRecoveryResponse:
    """One recovery."""
    return pb.GetRecoveryResponse(recovery=_recovery(shown))


def repaid(shown: RecoveryShown) -> pb.RecordRepaymentResponse:
    """A recovery after money came back."""
    return pb.RecordRepaymentResponse(recovery=_recovery(shown))


def doubles(page: tuple[Sequence[Record], str]) -> pb.ListDoubleBenefitsResponse:
    """Who draws what excludes one another."""
    return pb.ListDoubleBenefitsResponse(
        persons=[
            pb.DoubleBenefit(
                person_id=ids.to_text("per", row["root_id"]),
                benefit_ids=[ids.to_text("ben", one) for one in row["benefit_ids"]],
            )
            for row in page[0]
        ],
        next_page_token=page[1],
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


def _recovery(shown: RecoveryShown) -> pb.Recovery:
    one = shown.recovery
    reply = pb.Recovery(
        recovery_id=ids.to_text("rcv", one.recovery_id),
        benefit_id=ids.to_text("ben", one.benefit_id),
        person_id=ids.to_text("per", one.person_id),
        kind=BENEFIT_KINDS[one.kind],
        reason=one.reason,
        first_month=to_month(one.first_month),
        last_month=to_month(one.last_month),
        amount=to_money(one.amount),
        recovered=to_money(one.recovered),
        written_off=to_money(one.written_off),
        cancelled=to_money(one.cancelled),
        balance=to_money(one.balance),
        held=to_money(one.held),
        found_date=to_date(one.found_date),
        entries=[
            pb.RecoveryEntry(
                way=WAYS[Way(row["way"])],
                amount=to_money(Money(row["amount_fen"])),
                reference=row["reference"],
                entry_date=to_date(row["business_date"]),
            )
            for row in shown.entries
        ],
        statement_zh=recovery_zh(one, shown.plan),
        statement_en=recovery_en(one, shown.plan),
    )
    if shown.plan is not None and shown.last_month is not None:
        reply.plan.CopyFrom(
            pb.RecoveryPlan(
                method=METHODS[shown.plan.method],
                monthly=to_money(shown.plan.monthly),
                first_month=to_month(shown.plan.first_month),
                last_month=to_month(shown.last_month),
                benefit_id=_optional("ben", shown.plan.benefit_id),
                evidence_ref=shown.plan.agreement,
                due_now=to_money(shown.due_now),
            )
        )
    return reply


def _optional(prefix: str, value: UUID | None) -> str:
    return ids.to_text(prefix, value) if value else ""


def _masked(tail: str) -> str:
    return f"**** {tail}"
