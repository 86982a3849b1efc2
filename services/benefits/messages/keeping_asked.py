"""What callers ask of the room of keeping: messages into commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chassis.values import date_of, money_of, month_of, word_of
from hrss.benefits.v1 import keeping_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput
from services.benefits.keeping import (
    Certify,
    ChangePayee,
    Plan,
    Repay,
    Resume,
    Source,
    Suspend,
    Way,
    WriteOff,
)
from services.benefits.messages.keeping_codes import METHODS, REASONS, SOURCES, WAYS
from services.benefits.messages.requests import payee

if TYPE_CHECKING:
    from kernel.calendar import Month


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
