"""Refusals and faults → `application/problem+json` (RFC 9457), with the texts of the catalogue.

Texts come from the catalogue alone. What a service wrote for developers stays inside; what the edge itself says about a
field ("must be one of …") goes out as `developer_message`, because nobody's data is in it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import grpc
import orjson

from chassis.problems import CODES, Fault, domain_of
from kernel.errors import Busy, Conflict, DomainError, NotFound, Unauthenticated, Unavailable, Violation
from services.gateway.edge.scalars import FORBIDDEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.gateway.edge.catalogue import Catalogue, Language, Problem
    from services.gateway.edge.contract import Route

HELP = "12333"  # the city's hotline
TYPE = "/docs/problems/"
_VALUE_MAX = 200  # characters of a value that a text may print

HTTP: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 422,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_STEP_UP = "INSUFFICIENT_ACR"
_INDEX = re.compile(r"\[(\d{1,6})\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where and for whom a problem happened."""

    language: Language
    instance: str
    request_id: str
    trace_id: str
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A problem ready to be sent."""

    status: int
    code: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Problems:
    """Renders what went wrong."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def answer(self, error: DomainError | Fault, where: Occurrence) -> Answer:
        """The answer for an error that ended a call."""
        error = _hide_foreign_ids(error, where.route)
        if isinstance(error, Fault):
            return self._of_fault(error, where)
        grpc_code = CODES[error.kind]
        entry = self._catalogue.problems.get(error.reason)
        status = entry.status if entry is not None and entry.grpc == grpc_code.name else HTTP[grpc_code]
        values = self._values(error.metadata, where.language)
        body = self._body(error.reason, status, entry, values, where)
        body["retryable"] = isinstance(error, Conflict | Busy | Unavailable)
        if values:
            body["values"] = values
        if error.source:
            body["source"] = list(error.source)
        if errors := self._errors(error, where.language):
            body["errors"] = errors
        headers: list[tuple[bytes, bytes]] = []
        if body["retryable"]:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after or 1))))
        if isinstance(error, Unauthenticated):
            headers.append((b"www-authenticate", challenge(error).encode()))
        return Answer(status, error.reason, headers, orjson.dumps(body))

    def _of_fault(self, fault: Fault, where: Occurrence) -> Answer:
        reason = fault.reason if fault.reason in self._catalogue.problems else "INTERNAL"
        status = HTTP[fault.code]
        body = self._body(reason, status, self._catalogue.problems[reason], {}, where)
        body["retryable"] = self._catalogue.problems[reason].retryable
        headers = [(b"retry-after", b"1")] if body["retryable"] else []
        return Answer(status, reason, headers, orjson.dumps(body))

    def _body(
        self, code: str, status: int, entry: Problem | None, values: Mapping[str, str], where: Occurrence
    ) -> dict[str, Any]:
        text = (entry or self._nearest(status)).text(where.language, values)
        return {
            "type": f"{TYPE}{code}",
            "title": text.title,
            "status": status,
            "code": code,
            "detail": text.detail,
            "hint": text.hint,
            "instance": where.instance,
            "request_id": where.request_id,
            "trace_id": where.trace_id,
            "help": HELP,
        }

    def _nearest(self, status: int) -> Problem:
        """A reason that the catalogue does not have yet still gets a text that fits its status."""
        fitting = {400: "INVALID_INPUT", 401: "LOGIN_REQUIRED", 403: "ROLE_NOT_ALLOWED", 404: "ROUTE_NOT_FOUND"}
        late = {409: "CONCURRENT_CHANGE", 429: "SERVER_BUSY", 503: "DATABASE_UNAVAILABLE"}
        return self._catalogue.problems[{**fitting, **late}.get(status, "INTERNAL")]

    def _errors(self, error: DomainError, language: Language) -> list[dict[str, str]]:
        violations = error.violations or ((Violation(error.field, error.reason, error.message),) if error.field else ())
        own = not domain_of(error)
        found = []
        for violation in violations:
            entry = {"pointer": pointer(violation.field), "code": violation.reason}
            if (problem := self._catalogue.problems.get(violation.reason)) is not None:
                text = problem.text(language, error.metadata)
                entry |= {"detail": text.detail, "hint": text.hint}
            if own:
                entry["developer_message"] = violation.message
            found.append(entry)
        return found

    def _values(self, metadata: Mapping[str, str], language: Language) -> dict[str, str]:
        """What a text may print: short, harmless, and a service by its name in words."""
        values = {
            name: value for name, value in metadata.items() if len(value) <= _VALUE_MAX and not FORBIDDEN.search(value)
        }
        if (words := self._catalogue.services.get(values.get("service", ""))) is not None:
            values["service"] = words[language]
        return values


def pointer(field: str) -> str:
    """A field path of a service ("rows[3].id_no") as a JSON pointer ("/rows/3/id_no")."""
    if not field or field.startswith("/"):
        return field
    return "/" + _INDEX.sub(r".\1", field).replace(".", "/")


def challenge(error: Unauthenticated) -> str:
    """The WWW-Authenticate header; a step-up names the level that is needed (RFC 9470)."""
    if error.reason == _STEP_UP:
        return (
            'Bearer realm="hrss", error="insufficient_user_authentication", '
            f'error_description="A stronger login is needed", acr_values="{error.metadata.get("acr", "")}"'
        )
    if error.reason == "TOKEN_INVALID":
        return 'Bearer realm="hrss", error="invalid_token"'
    return 'Bearer realm="hrss"'


@lru_cache(maxsize=256)
def language_of(header: str) -> Language:
    """The language that an Accept-Language header prefers; Chinese when it does not say."""
    best: tuple[float, Language] = (0.0, "zh")
    for part in header[:200].split(","):
        tag, _, parameter = part.strip().lower().partition(";")
        language: Language | None = "zh" if tag.startswith("zh") else "en" if tag.startswith("en") else None
        if language is None:
            continue
        weight = parameter.strip().removeprefix("q=") if parameter else "1"
        try:
            quality = float(weight)
        except ValueError:
            continue
        if quality > best[0]:
            best = (quality, language)
    return best[1]


def _hide_foreign_ids(error: DomainError | Fault, route: Route | None) -> DomainError | Fault:
    """An id in the path that is no id of this kind is answered like one that does not exist."""
    if route is None or not route.not_found or not isinstance(error, DomainError) or error.reason != "ID_MALFORMED":
        return error
    fields = {violation.field for violation in error.violations} | {error.field}
    names = {name.strip("/") for name in fields} - {""}
    if names <= set(route.path_fields) and route.path_fields and (names or not route.has_body):
        return NotFound(route.not_found, "no such record")
    return error
