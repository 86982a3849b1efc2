"""What is asked for each item that can be applied for as a case: the fields of the typed forms of the contract.

Pages of citizens and of the counter share these; which of them a page offers, and what it fills in beforehand, is the
page's business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.gateway.portal.forms import Field

if TYPE_CHECKING:
    from collections.abc import Mapping


def _payee(form: str) -> tuple[Field, ...]:
    return (
        Field(f"form.{form}.payee.name", "name", "apply.payee_name", "apply.payee_name_hint", complete="name"),
        Field(f"form.{form}.payee.account", "account", "apply.payee_account", "apply.payee_account_hint"),
    )


# Code of the item → its fields. The PIN is asked for twice by the page that sets it.
FIELDS: Mapping[str, tuple[Field, ...]] = {
    "EN05": (
        Field("form.enrollment.employer_id", "text", "apply.employer_id", "apply.employer_id_hint"),
        Field("form.enrollment.name", "name", "apply.employee_name"),
        Field("form.enrollment.id_no", "id_no", "apply.id_no"),
        Field("form.enrollment.start_month", "month", "apply.start_month", "apply.month_hint"),
        Field("form.enrollment.wage", "money", "apply.wage", "apply.wage_hint"),
        Field("form.enrollment.post", "choice", "apply.post", choices=("POST_MANAGEMENT", "POST_PRODUCTION")),
    ),
    "EN06": (
        Field("form.end_enrollment.enrollment_id", "text", "apply.enrollment_id", "apply.enrollment_id_hint"),
        Field("form.end_enrollment.end_month", "month", "apply.end_month", "apply.month_hint"),
        Field(
            "form.end_enrollment.reason",
            "choice",
            "apply.end_reason",
            choices=("END_REASON_RESIGNED", "END_REASON_DISMISSED", "END_REASON_CONTRACT_EXPIRED"),
        ),
    ),
    "BE01": (
        Field("form.pension.retirement_month", "month", "apply.retirement_month", "apply.retirement_month_hint"),
        *_payee("pension"),
    ),
    "BE09": (
        Field(
            "form.registration.registration_date", "date", "apply.registration_date", "apply.day_hint", required=False
        ),
    ),
    "BE10": (
        Field("form.unemployment.registration_date", "date", "apply.registered_on", "apply.registered_on_hint"),
        *_payee("unemployment"),
    ),
    "TR01": (
        Field(
            "form.subsidy.issuer_type",
            "choice",
            "apply.issuer_type",
            choices=("ISSUER_TYPE_ASSESSMENT_BODY", "ISSUER_TYPE_EMPLOYER", "ISSUER_TYPE_STATE_QUALIFICATION"),
        ),
        Field("form.subsidy.certificate_number", "text", "apply.certificate_number", "apply.certificate_number_hint"),
        *_payee("subsidy"),
    ),
    "CA06": (
        Field("form.card.pin", "pin", "apply.pin", "apply.pin_hint", complete="new-password"),
        Field("form.card.consent", "consent", "apply.consent"),
    ),
    "CA03": (
        Field(
            "form.card_loss.lift",
            "choice",
            "apply.loss_or_lift",
            choices=("report_loss", "lift_loss"),
            sends=(("report_loss", False), ("lift_loss", True)),
        ),
    ),
}
# Code of a bundle → what one form asks for all its parts; what two parts need is asked once.
BUNDLE_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "PK05": (
        *(
            replace(field, hint="apply.bundle_reason_hint") if field.kind == "choice" else field
            for field in FIELDS["EN06"]
        ),
        Field("form.registration.registration_date", "date", "apply.registration_date", "apply.bundle_day_hint"),
        *_payee("unemployment"),
    ),
}
# The login's level that the item's service asks for in the end; better asked for before a form is filled in.
ACR: Mapping[str, int] = {"CA06": 3}
LEAST_ACR = 2


def fields_of(codes: tuple[str, ...]) -> tuple[Field, ...]:
    """The fields of an item, or of all items of a bundle."""
    return tuple(field for code in codes for field in FIELDS[code])
