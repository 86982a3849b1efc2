"""Which reasons a route may answer with: those it declares, and those that its way through the edge can add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor import FieldDescriptor

from services.gateway.edge import files
from services.gateway.edge.contract import messages_of

if TYPE_CHECKING:
    from services.gateway.edge.contract import Route

ALWAYS = (
    "HEADERS_TOO_LARGE",
    "HEADER_DUPLICATE",
    "LOGIN_REQUIRED",
    "TOKEN_INVALID",
    "ROLE_NOT_ALLOWED",
    "RATE_LIMITED",
    "IDENTITY_PROVIDER_UNAVAILABLE",
    "INTERNAL",
)
SERVICE = (
    "ASSERTION_REFUSED",
    "CONCURRENT_CHANGE",
    "DATABASE_UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "SERVER_BUSY",
    "SERVICE_UNAVAILABLE",
    "UNIMPLEMENTED",
)
READ = ("MIN_VERSION_MALFORMED", "NOT_YET_KNOWN")
CHANGE = (
    "IDEMPOTENCY_KEY_REQUIRED",
    "IDEMPOTENCY_KEY_INVALID",
    "OUTCOME_UNKNOWN",
    "REQUEST_ID_REUSED",
    "REQUEST_IN_PROGRESS",
)
BYTES = ("BODY_TOO_SLOW", "CONTENT_ENCODING_UNSUPPORTED", "CONTENT_TYPE_WRONG")
BODY = (*BYTES, "BODY_NOT_OBJECT", "BODY_REQUIRED", "BODY_TOO_LARGE", "DUPLICATE_KEY", "MALFORMED_JSON")
FIELDS = ("INVALID_INPUT", "UNKNOWN_FIELD", "WRONG_TYPE", "QUERY_INVALID")
TEXTS = ("CHARACTER_NOT_ALLOWED", "TEXT_TOO_LONG")
OF_TYPE = {
    "hrss.type.v1.Money": ("MONEY_MALFORMED",),
    "hrss.type.v1.Rate": ("RATE_MALFORMED",),
    "hrss.type.v1.Date": ("DATE_MALFORMED", "DATE_IMPOSSIBLE"),
    "hrss.type.v1.Month": ("MONTH_MALFORMED", "MONTH_IMPOSSIBLE"),
}


def reasons_of(route: Route | None) -> tuple[str, ...]:
    """All reasons of a route, sorted; of the upload of files when there is no route."""
    found = set(ALWAYS)
    if route is None:
        return tuple(sorted(found | set(BYTES) | set(files.PROBLEMS) | {"SCOPE_MISSING"}))
    found |= {*route.problems, *FIELDS, *SERVICE}
    if route.rule.scopes:
        found.add("SCOPE_MISSING")
    if route.rule.min_acr:
        found.add("INSUFFICIENT_ACR")
    if route.rule.purpose_required:
        found |= {"PURPOSE_REQUIRED", "HEADER_MALFORMED"}
    if route.rule.relation == "SELF":
        found |= {"PERSON_NOT_INSURED", "IDENTITY_MISSING"}
    found |= set(CHANGE if route.idempotent_by_key else READ)
    if route.has_body:
        found |= set(BODY)
    if route.path_fields or any(field.name.endswith("_id") for field in route.request.DESCRIPTOR.fields):
        found.add("ID_MALFORMED")
    for message in messages_of(route.request.DESCRIPTOR):
        for field in message.fields:
            found |= set(_of_field(field))
    return tuple(sorted(found))


def _of_field(field: FieldDescriptor) -> tuple[str, ...]:
    if field.is_repeated:
        return ("TOO_MANY_ITEMS",)
    if field.message_type is not None:
        return OF_TYPE.get(str(field.message_type.full_name), ())
    if field.enum_type is not None:
        return ("ENUM_UNKNOWN",)
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS
    return () if field.type == FieldDescriptor.TYPE_BOOL else ("NUMBER_OUT_OF_RANGE",)
