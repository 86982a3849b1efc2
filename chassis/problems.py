"""The one table between refusals and gRPC, both ways, and the wire form of an error.

On the wire an error is one `google.rpc.Status` in `grpc-status-details-bin`: ErrorInfo (reason, domain
"<service>.hrss", metadata), BadRequest for wrong fields, RetryInfo for a delay.
"""

from __future__ import annotations

import grpc
import grpc.aio
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # comes without stubs

from kernel.errors import (
    AlreadyExists,
    Busy,
    Conflict,
    DomainError,
    Forbidden,
    InvalidInput,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
    Violation,
)

CODES: dict[type[DomainError], grpc.StatusCode] = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Refused: grpc.StatusCode.FAILED_PRECONDITION,
    Conflict: grpc.StatusCode.ABORTED,
    Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}
KINDS = {code: kind for kind, code in CODES.items()}

DETAILS_KEY = "grpc-status-details-bin"
_DETAILS_MAX = 4096  # of the 8 KiB that metadata may have; base64 adds a third
_TEXT_MAX = 300
_SOURCE = "source"


class Fault(Exception):  # noqa: N818 - named beside Refused and NotFound
    """What is no refusal: our own bug, a deadline that passed, a call that was dropped, an RPC that does not exist."""

    def __init__(
        self, code: grpc.StatusCode, reason: str, message: str, *, trace_id: str = "", domain: str = ""
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.trace_id = trace_id
        self.domain = domain


def to_status(error: DomainError | Fault, service: str) -> status_pb2.Status:
    """The wire form of an error that `service` raises."""
    if isinstance(error, Fault):
        status = status_pb2.Status(code=_number(error.code), message=error.message)
        info = error_details_pb2.ErrorInfo(reason=error.reason, domain=f"{service}.hrss")
        if error.trace_id:
            info.metadata["trace_id"] = error.trace_id
        status.details.add().Pack(info)
        return status
    status = status_pb2.Status(code=_number(CODES[error.kind]), message=error.message[:_TEXT_MAX])
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=f"{service}.hrss", metadata=error.metadata)
    if error.source:
        info.metadata[_SOURCE] = ",".join(error.source)
    status.details.add().Pack(info)
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(max(0, round(error.retry_after * 1000)))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    if bad := _bad_request(error, room=_DETAILS_MAX - status.ByteSize()):
        status.details.add().Pack(bad)
    return status


def from_rpc_error(error: grpc.aio.AioRpcError, service: str) -> DomainError | Fault:
    """The error that a call to `service` ended with, as it was raised there."""
    status = _details(error)
    code = error.code()
    info = error_details_pb2.ErrorInfo()
    packed = {detail.TypeName(): detail for detail in status.details} if status else {}
    if (detail := packed.get("google.rpc.ErrorInfo")) is None or not detail.Unpack(info):
        return _without_details(code, service)
    if (kind := KINDS.get(code)) is None:
        trace_id = info.metadata.get("trace_id", "")
        return Fault(code, info.reason, status.message if status else "", trace_id=trace_id, domain=info.domain)
    rebuilt = kind(info.reason, status.message if status else "")
    rebuilt.metadata = dict(info.metadata)
    rebuilt.source = tuple(filter(None, rebuilt.metadata.pop(_SOURCE, "").split(",")))
    rebuilt.__dict__["domain"] = info.domain
    retry = error_details_pb2.RetryInfo()
    if (detail := packed.get("google.rpc.RetryInfo")) is not None and detail.Unpack(retry):
        rebuilt.retry_after = retry.retry_delay.ToMilliseconds() / 1000
    bad = error_details_pb2.BadRequest()
    if (detail := packed.get("google.rpc.BadRequest")) is not None and detail.Unpack(bad):
        found = tuple(Violation(one.field, one.reason, one.description) for one in bad.field_violations)
        if len(found) == 1 and (found[0].reason, found[0].message) == (rebuilt.reason, rebuilt.message):
            rebuilt.field = found[0].field
        else:
            rebuilt.violations = found
    return rebuilt


def domain_of(error: DomainError | Fault) -> str:
    """The domain of an error that came over the wire, "enrollment.hrss"; empty for one raised in this process."""
    return str(error.__dict__.get("domain", ""))


def is_retryable(error: DomainError | Fault) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, Fault):
        return error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    return isinstance(error, Conflict | Busy | Unavailable)


def _bad_request(error: DomainError, *, room: int) -> error_details_pb2.BadRequest | None:
    """The wrong fields, as many as fit: metadata is small, and a person mends the first ones first."""
    violations = error.violations or ((Violation(error.field, error.reason, error.message),) if error.field else ())
    if not violations:
        return None
    bad = error_details_pb2.BadRequest()
    for violation in violations:
        bad.field_violations.add(
            field=violation.field[:_TEXT_MAX], reason=violation.reason, description=violation.message[:_TEXT_MAX]
        )
        if bad.ByteSize() > room:
            del bad.field_violations[-1]
            break
    return bad


def _without_details(code: grpc.StatusCode, service: str) -> DomainError | Fault:
    """Errors that gRPC itself made: nobody at the other end put a reason on them."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable("SERVICE_UNAVAILABLE", "the service cannot be reached", retry_after=1, service=service)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Busy("SERVER_BUSY", "the service takes no more calls now", retry_after=1, service=service)
    reasons = {
        grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
        grpc.StatusCode.CANCELLED: "CANCELLED",
        grpc.StatusCode.UNIMPLEMENTED: "UNIMPLEMENTED",
    }
    return Fault(code, reasons.get(code, "INTERNAL"), f"the call ended with {code.name}")


def _details(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except Exception:  # noqa: BLE001 - details that nobody can read are no details
                return None
    return None


def _number(code: grpc.StatusCode) -> int:
    return int(code.value[0])
