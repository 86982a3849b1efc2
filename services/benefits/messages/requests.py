"""Requests of callers, as commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chassis.values import date_of, money_of, month_of, word_of
from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import benefits_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput
from kernel.identity import normalise_name
from services.benefits.commands import (
    Approve,
    AskRetirement,
    EstimatePension,
    PageOf,
    PageOfPayrolls,
    Payee,
    PreparePension,
    PrepareUnemployment,
    RecordResult,
    Reject,
)
from services.benefits.domain.retirement import Track
from services.benefits.lifecycle import Answer
from services.benefits.messages.states import PAYROLL_STATES

if TYPE_CHECKING:
    from uuid import UUID

    from kernel.calendar import Month

TRACKS = {
    model.RETIREMENT_TRACK_UNSPECIFIED: None,
    model.RETIREMENT_TRACK_MALE_60: Track.MALE_60,
    model.RETIREMENT_TRACK_FEMALE_55: Track.FEMALE_55,
    model.RETIREMENT_TRACK_FEMALE_50: Track.FEMALE_50,
}
_ANSWERS = {pb.PAYMENT_OUTCOME_CONFIRMED: Answer.CONFIRM, pb.PAYMENT_OUTCOME_RETURNED: Answer.RETURN}
_STATES = {model.PAYROLL_STATE_UNSPECIFIED: None} | {number: state for state, number in PAYROLL_STATES.items()}
_ACCOUNT = re.compile(r"[0-9]{12,19}", re.ASCII)
_DOCUMENT = re.compile(r"[\w〔〕()（）\[\]-]{4,60}")
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def ask_retirement(request: pb.GetRetirementRequest) -> AskRetirement:
    """When does a person retire?"""
    return AskRetirement(_person(request.person_id), TRACKS[request.track])


def estimate_pension(request: pb.EstimatePensionRequest) -> EstimatePension:
    """What would the pension be?"""
    return EstimatePension(
        person_id=_person(request.person_id),
        retirement_month=_optional_month(request),
        track=TRACKS[request.track],
        future_base=money_of(request.future_base, "future_base") if request.HasField("future_base") else None,
    )


def prepare_pension(request: pb.PreparePensionRequest) -> PreparePension:
    """Determine a pension."""
    has_old = request.HasField("old_transitional")
    return PreparePension(
        person_id=_person(request.person_id),
        retirement_month=_optional_month(request),
        track=TRACKS[request.track],
        old_transitional=money_of(request.old_transitional, "old_transitional") if has_old else None,
        payee=payee(request.payee),
        special_work=request.special_work,
        document=document_of(request.document) if request.special_work else "",
    )


def prepare_unemployment(request: pb.PrepareUnemploymentRequest) -> PrepareUnemployment:
    """Determine an unemployment benefit."""
    return PrepareUnemployment(
        person_id=_person(request.person_id),
        registration_date=date_of(request.registration_date, "registration_date"),
        carried_months=request.carried_months,
        payee=payee(request.payee),
        carried_document=document_of(request.carried_document, "carried_document") if request.carried_document else "",
        premium_filed=request.premium_filed,
    )


def approve_determination(request: pb.ApproveDeterminationRequest) -> Approve:
    """Approve a determination."""
    return Approve(
        ids.parse("det", request.determination_id, field="determination_id"),
        _digest(request.statement_digest, "statement_digest"),
    )


def reject_determination(request: pb.RejectDeterminationRequest) -> Reject:
    """Reject a determination."""
    return Reject(ids.parse("det", request.determination_id, field="determination_id"), request.reason.strip())


def approve_payroll(request: pb.ApprovePayrollRequest) -> Approve:
    """Approve a payroll."""
    return Approve(ids.parse("prl", request.payroll_id, field="payroll_id"), _digest(request.digest, "digest"))


def payroll_month(request: pb.PreparePayrollRequest) -> Month:
    """The month to pay."""
    return month_of(request.month, "month")


def record_result(request: pb.RecordPaymentResultRequest) -> RecordResult:
    """The bank's answer."""
    if request.outcome not in _ANSWERS:
        raise InvalidInput("OUTCOME_REQUIRED", "the bank confirms or returns a payment", field="outcome")
    return RecordResult(
        payment_id=ids.parse("pmt", request.payment_id, field="payment_id"),
        answer=word_of(_ANSWERS, request.outcome, "outcome"),
        bank_reference=request.bank_reference,
        simulated=request.simulated,
    )


def page_of_person(request: pb.ListPersonPaymentsRequest) -> PageOf:
    """A page of a person's payments."""
    return PageOf(_person(request.person_id), request.page_size, request.page_token)


def page_of_payroll(request: pb.ListPayrollPaymentsRequest) -> PageOf:
    """A page of a payroll's payments."""
    payroll_id = ids.parse("prl", request.payroll_id, field="payroll_id")
    return PageOf(payroll_id, request.page_size, request.page_token)


def page_of_payrolls(request: pb.ListPayrollsRequest) -> PageOfPayrolls:
    """A page of payrolls."""
    return PageOfPayrolls(_STATES[request.state], request.page_size, request.page_token)


def document_of(text: str, field: str = "document") -> str:
    """The number of a document.

    Raises:
        InvalidInput: DOCUMENT_INVALID.
    """
    if not _DOCUMENT.fullmatch(text):
        raise InvalidInput("DOCUMENT_INVALID", "a reference has 4 to 60 letters, digits and brackets", field=field)
    return text


def payee(message: pb.Payee, field: str = "payee") -> Payee:
    """Name and account of the payee, without a word of either in the refusal.

    Raises:
        InvalidInput: PAYEE_INVALID.
    """
    if not _ACCOUNT.fullmatch(message.account):
        raise InvalidInput("PAYEE_INVALID", "a bank account has 12 to 19 digits", field=f"{field}.account")
    try:
        return Payee(normalise_name(message.name), message.account)
    except InvalidInput:
        raise InvalidInput("PAYEE_INVALID", "the name of the holder is no name", field=f"{field}.name") from None


def _optional_month(request: pb.EstimatePensionRequest | pb.PreparePensionRequest) -> Month | None:
    if not request.HasField("retirement_month"):
        return None
    return month_of(request.retirement_month, "retirement_month")


def _digest(text: str, field: str) -> bytes:
    """A digest; text of another form is the digest of nothing and differs from every one."""
    return bytes.fromhex(text) if _DIGEST.fullmatch(text) else field.encode()


def _person(text: str) -> UUID:
    return ids.parse("per", text, field="person_id")
