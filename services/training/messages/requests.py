"""Requests of callers, as commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chassis.values import date_of, word_of
from hrss.training.v1 import training_pb2 as model
from hrss.training.v1 import training_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput
from kernel.identity import normalise_name
from services.training.commands import (
    Approve,
    CertificateKey,
    CheckClaim,
    Page,
    PageOfClaims,
    Payee,
    RecordCertificate,
    RecordResult,
    Reject,
    SubmitClaim,
)
from services.training.domain.skill_subsidy import LEVELS, Skill
from services.training.lifecycle import Answer
from services.training.messages.states import CLAIM_STATES, ISSUER_TYPES

if TYPE_CHECKING:
    from uuid import UUID

_ISSUERS = {number: issuer for issuer, number in ISSUER_TYPES.items()}
_STATES = {model.CLAIM_STATE_UNSPECIFIED: None} | {number: state for state, number in CLAIM_STATES.items()}
_ANSWERS = {pb.SUBSIDY_OUTCOME_CONFIRMED: Answer.CONFIRM, pb.SUBSIDY_OUTCOME_RETURNED: Answer.RETURN}
# Opaque beyond this: which letters and digits mean what is the issuers' business (policy rule certificate_number).
_NUMBER = re.compile(r"[0-9A-Z-]{6,40}", re.ASCII)
_OCCUPATION = re.compile(r"[1-8]-[0-9]{2}-[0-9]{2}-[0-9]{2}(-[0-9]{2})?", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12,19}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def record_certificate(request: pb.RecordCertificateRequest) -> RecordCertificate:
    """Record a certificate."""
    if not _OCCUPATION.fullmatch(request.occupation):
        raise InvalidInput("OCCUPATION_INVALID", "an occupation is a code like 6-18-01-01", field="occupation")
    if request.level not in LEVELS:
        raise InvalidInput("LEVEL_INVALID", "a level is 5 to 1", field="level")
    return RecordCertificate(
        person_id=_person(request.person_id),
        key=_key(request),
        skill=Skill(request.occupation, request.level, date_of(request.issue_date, "issue_date")),
        is_subsidised_elsewhere=request.subsidised_elsewhere,
    )


def check_claim(request: pb.CheckClaimRequest) -> CheckClaim:
    """What do the rules say?"""
    return CheckClaim(_person(request.person_id), _key(request))


def submit_claim(request: pb.SubmitClaimRequest) -> SubmitClaim:
    """Claim a subsidy."""
    return SubmitClaim(_person(request.person_id), _key(request), _payee(request.payee))


def approve_claim(request: pb.ApproveClaimRequest) -> Approve:
    """Approve a claim; a digest of another form is the digest of nothing and differs from every one."""
    text = request.statement_digest
    return Approve(claim_id(request.claim_id), bytes.fromhex(text) if _DIGEST.fullmatch(text) else b"")


def reject_claim(request: pb.RejectClaimRequest) -> Reject:
    """Reject a claim."""
    return Reject(claim_id(request.claim_id), request.reason.strip())


def record_result(request: pb.RecordSubsidyResultRequest) -> RecordResult:
    """The bank's answer."""
    if request.outcome not in _ANSWERS:
        raise InvalidInput("OUTCOME_REQUIRED", "the bank confirms or returns a payment", field="outcome")
    return RecordResult(
        order_id=ids.parse("ord", request.order_id, field="order_id"),
        answer=_ANSWERS[request.outcome],
        bank_reference=request.bank_reference,
        simulated=request.simulated,
    )


def page_of_claims(request: pb.ListClaimsRequest) -> PageOfClaims:
    """A page of claims."""
    return PageOfClaims(_STATES[request.state], Page(request.page_size, request.page_token))


def page_of_orders(request: pb.ListSubsidyOrdersRequest) -> Page:
    """A page of payment orders."""
    return Page(request.page_size, request.page_token)


def claim_id(text: str) -> UUID:
    """The id of a claim."""
    return ids.parse("clm", text, field="claim_id")


def _key(request: pb.RecordCertificateRequest | pb.CheckClaimRequest | pb.SubmitClaimRequest) -> CertificateKey:
    """Issuer and number of a certificate, without the number in the refusal."""
    number = request.number.replace(" ", "").upper()
    if not _NUMBER.fullmatch(number):
        raise InvalidInput("CERTIFICATE_NUMBER_INVALID", "a number has 6 to 40 letters and digits", field="number")
    return CertificateKey(word_of(_ISSUERS, request.issuer_type, "issuer_type"), number)


def _payee(message: pb.SubsidyPayee) -> Payee:
    """Name and account of the payee, without a word of either in the refusal."""
    if not _ACCOUNT.fullmatch(message.account):
        raise InvalidInput("PAYEE_INVALID", "a bank account has 12 to 19 digits", field="payee.account")
    try:
        return Payee(normalise_name(message.name), message.account)
    except InvalidInput:
        raise InvalidInput("PAYEE_INVALID", "the name of the holder is no name", field="payee.name") from None


def _person(text: str) -> UUID:
    return ids.parse("per", text, field="person_id")
