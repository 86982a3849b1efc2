"""Requests of the contract as commands; whatever is wrong in form is refused here with its field."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from chassis.values import date_of
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import calendar_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.identity import (
    ResidentIdCheck,
    Sex,
    check_credit_code,
    check_document,
    full_number,
    is_foreign_2017,
    normalise_employer_name,
    normalise_name,
    normalise_resident_id,
)
from kernel.money import Money
from services.enrollment import commands
from services.enrollment.billing import BillState
from services.enrollment.register import (
    EndReason,
    Post,
    check_division,
    check_phone,
    check_receipt_no,
    check_source_system,
    check_wage,
)

_RATE = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAME_MIN, _NAME_MAX = 2, 100  # characters of an employer's name
_INJURY_CLASSES = range(1, 9)
POSTS = {model.POST_MANAGEMENT: Post.MANAGEMENT, model.POST_PRODUCTION: Post.PRODUCTION}
_REASONS = {
    model.END_REASON_RESIGNED: EndReason.RESIGNED,
    model.END_REASON_DISMISSED: EndReason.DISMISSED,
    model.END_REASON_CONTRACT_EXPIRED: EndReason.CONTRACT_EXPIRED,
    model.END_REASON_RETIRED: EndReason.RETIRED,
    model.END_REASON_DIED: EndReason.DIED,
}
_SEXES: dict[int, Sex] = {model.SEX_MALE: "male", model.SEX_FEMALE: "female"}
_BILL_STATES = {
    model.BILL_STATE_ISSUED: BillState.ISSUED,
    model.BILL_STATE_PART_PAID: BillState.PART_PAID,
    model.BILL_STATE_PAID: BillState.PAID,
}
_ROSTER_MODES = {
    pb.ROSTER_MODE_PARTIAL: commands.RosterMode.PARTIAL,
    pb.ROSTER_MODE_ALL_OR_NOTHING: commands.RosterMode.ALL_OR_NOTHING,
}


class _Request(Protocol):
    def HasField(self, field_name: Any) -> bool: ...


class BirthFields(Protocol):
    """Birth and sex beside a number that does not say them."""

    sex: Any

    @property
    def birth_date(self) -> calendar_pb2.Date:
        """The date of birth, where it is given."""

    def HasField(self, field_name: Any) -> bool:
        """Whether a field is given."""


def register_employer(request: pb.RegisterEmployerRequest) -> commands.RegisterEmployer:
    """Read RegisterEmployer.

    Raises:
        InvalidInput: CREDIT_CODE_INVALID (with its cause), NAME_INVALID, DIVISION_INVALID, INJURY_CLASS_INVALID,
            INJURY_STEP_INVALID.
    """
    return commands.RegisterEmployer(
        credit_code=credit_code(request.credit_code),
        name=employer_name(request.name),
        division=check_division(request.division),
        injury_class=injury_class(request.injury_class),
        injury_step=injury_step(request),
    )


def credit_code(text: str) -> str:
    """Read a credit code.

    Raises:
        InvalidInput: CREDIT_CODE_INVALID with its cause: FORMAT or CHECKSUM.
    """
    code = check_credit_code(text)
    if not code.valid:
        raise InvalidInput(
            "CREDIT_CODE_INVALID", "the credit code is not valid", field="credit_code", cause=code.reason
        )
    return code.code


def employer_name(text: str) -> str:
    """Read the name of an employer.

    Raises:
        InvalidInput: NAME_INVALID with its cause.
    """
    name = name_of(normalise_employer_name, text)
    if not _NAME_MIN <= len(name) <= _NAME_MAX:
        raise InvalidInput("NAME_INVALID", "an employer's name has 2 to 100 characters", field="name", cause="LENGTH")
    return name


def person_name(text: str) -> str:
    """Read the name of a person.

    Raises:
        InvalidInput: NAME_INVALID with its cause.
    """
    return name_of(normalise_name, text)


def injury_class(number: int) -> int:
    """Read an industry class.

    Raises:
        InvalidInput: INJURY_CLASS_INVALID.
    """
    if number not in _INJURY_CLASSES:
        raise InvalidInput("INJURY_CLASS_INVALID", "an industry class is 1 to 8", field="injury_class")
    return number


def injury_step(request: Any) -> Decimal:
    """Read a float step; 1.00 when none is given.

    Raises:
        InvalidInput: INJURY_STEP_INVALID.
    """
    step = request.injury_step.decimal if request.HasField("injury_step") else "1.00"
    if not _RATE.fullmatch(step):
        raise InvalidInput("INJURY_STEP_INVALID", "a float step is a number like 1.20", field="injury_step")
    return Decimal(step)


def enroll_person(request: pb.EnrollPersonRequest, *, today: date, allow_test_region: bool) -> commands.EnrollPerson:
    """Read EnrollPerson.

    Raises:
        InvalidInput: ID_NO_INVALID, NAME_INVALID (both with their cause), PHONE_INVALID, WAGE_INVALID, MONTH_REQUIRED.
    """
    return commands.EnrollPerson(
        employer_id=ids.parse("emp", request.employer_id, field="employer_id"),
        name=name_of(normalise_name, request.name),
        identity=identity_of(request.id_no, today, allow_test_region=allow_test_region, beside=request),
        phone=check_phone(request.phone),
        start_month=month_of(request, "start_month"),
        wage=_wage(request),
        post=POSTS.get(request.post),
    )


def end_enrollment(request: pb.EndEnrollmentRequest) -> commands.EndEnrollment:
    """Read EndEnrollment.

    Raises:
        InvalidInput: END_REASON_REQUIRED, MONTH_REQUIRED.
    """
    reason = _REASONS.get(request.reason)
    if reason is None:
        raise InvalidInput("END_REASON_REQUIRED", "an end needs its reason", field="reason")
    return commands.EndEnrollment(
        enrollment_id=ids.parse("enr", request.enrollment_id, field="enrollment_id"),
        end_month=month_of(request, "end_month"),
        reason=reason,
    )


def declare_wage(request: pb.DeclareWageRequest) -> commands.DeclareWage:
    """Read DeclareWage.

    Raises:
        InvalidInput: WAGE_INVALID, MONTH_REQUIRED.
    """
    return commands.DeclareWage(
        enrollment_id=ids.parse("enr", request.enrollment_id, field="enrollment_id"),
        from_month=month_of(request, "from_month"),
        wage=_wage(request),
    )


def assess_bill(request: pb.AssessBillRequest) -> commands.AssessBill:
    """Read AssessBill."""
    return commands.AssessBill(
        employer_id=ids.parse("emp", request.employer_id, field="employer_id"), month=month_of(request, "month")
    )


def record_receipt(request: pb.RecordReceiptRequest) -> commands.RecordReceipt:
    """Read RecordReceipt.

    Raises:
        InvalidInput: RECEIPT_NO_INVALID, RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
    """
    if not request.HasField("amount") or request.amount.fen <= 0:
        raise InvalidInput("RECEIPT_AMOUNT_INVALID", "a receipt is for more than nothing", field="amount")
    if not request.HasField("paid_date"):
        raise InvalidInput("PAID_DATE_INVALID", "a receipt needs the day of payment", field="paid_date")
    try:
        paid_date = date(request.paid_date.year, request.paid_date.month, request.paid_date.day)
    except ValueError:
        raise InvalidInput("PAID_DATE_INVALID", "the calendar has no such day", field="paid_date") from None
    return commands.RecordReceipt(
        receipt_no=check_receipt_no(request.receipt_no),
        bill_id=ids.parse("bil", request.bill_id, field="bill_id"),
        amount=Money(request.amount.fen),
        paid_date=paid_date,
        simulated=request.simulated,
    )


def settle_account(request: pb.SettleAccountRequest) -> commands.SettleAccount:
    """Read SettleAccount."""
    return commands.SettleAccount(
        person_id=person_id(request.person_id), retirement_month=month_of(request, "retirement_month")
    )


def import_history(request: pb.ImportHistoryRequest) -> commands.ImportHistory:
    """Read ImportHistory.

    Raises:
        InvalidInput: DIGEST_INVALID, SOURCE_INVALID.
    """
    _check_upload(request)
    return commands.ImportHistory(
        upload_id=request.upload_id,
        digest=request.digest,
        source_system=check_source_system(request.source_system),
    )


def import_roster(request: pb.ImportRosterRequest) -> commands.ImportRoster:
    """Read ImportRoster.

    Raises:
        InvalidInput: DIGEST_INVALID, VALUE_REQUIRED.
    """
    _check_upload(request)
    mode = _ROSTER_MODES.get(request.mode)
    if mode is None:
        raise InvalidInput("VALUE_REQUIRED", "a roster says what becomes of its right rows", field="mode")
    return commands.ImportRoster(
        upload_id=request.upload_id,
        digest=request.digest,
        employer_id=ids.parse("emp", request.employer_id, field="employer_id"),
        mode=mode,
    )


def find_person(request: pb.FindPersonRequest, *, today: date) -> tuple[str, str]:
    """Read FindPerson: the normalised number and the name to compare with, empty when not given.

    A number of 15 digits is looked for as the one of 18 that replaced it.

    Raises:
        InvalidInput: ID_NO_INVALID, NAME_INVALID.
    """
    number = full_number(normalise_resident_id(request.id_no))
    if not is_foreign_2017(number):
        number = identity_of(number, today, allow_test_region=True).number
    return number, name_of(normalise_name, request.name) if request.name else ""


def person_id(text: str) -> UUID:
    """Read the id of a person."""
    return ids.parse("per", text, field="person_id")


def bill_state(state: model.BillState.ValueType) -> BillState | None:
    """Read a state to look for; None looks for all."""
    return _BILL_STATES.get(state)


def _check_upload(request: pb.ImportHistoryRequest | pb.ImportRosterRequest) -> None:
    ids.parse("upl", request.upload_id, field="upload_id")
    if not _DIGEST.fullmatch(request.digest):
        raise InvalidInput("DIGEST_INVALID", "a digest has 64 hexadecimal digits", field="digest")


def identity_of(
    id_no: str, today: date, *, allow_test_region: bool, beside: BirthFields | None = None
) -> ResidentIdCheck:
    """Read an identity number, with the birth and sex that stand beside it where it does not say them.

    Raises:
        InvalidInput: ID_NO_INVALID with its cause.
    """
    birth = date_of(beside.birth_date, "birth_date") if beside and beside.HasField("birth_date") else None
    sex = _SEXES.get(beside.sex) if beside else None
    identity = check_document(id_no, today, allow_test_region=allow_test_region, birth=birth, sex=sex)
    if not identity.valid:
        raise InvalidInput("ID_NO_INVALID", "the identity number is not valid", field="id_no", cause=identity.reason)
    return identity


def name_of(normalise: Callable[[str], str], text: str) -> str:
    """Read a name by its rules.

    Raises:
        InvalidInput: NAME_INVALID with its cause.
    """
    try:
        return normalise(text)
    except InvalidInput as error:
        raise InvalidInput("NAME_INVALID", error.message, field="name", cause=error.reason) from None


def _wage(request: pb.EnrollPersonRequest | pb.DeclareWageRequest) -> Money:
    return check_wage(Money(request.wage.fen) if request.HasField("wage") else Money.ZERO)


def month_of(request: _Request, field: str) -> Month:
    """Read a month that must be there.

    Raises:
        InvalidInput: MONTH_REQUIRED, MONTH_IMPOSSIBLE.
    """
    if not request.HasField(field):
        raise InvalidInput("MONTH_REQUIRED", "a month is required", field=field)
    value = getattr(request, field)
    try:
        return Month(value.year, value.month)
    except InvalidInput as error:
        raise InvalidInput(error.reason, error.message, field=field) from None
