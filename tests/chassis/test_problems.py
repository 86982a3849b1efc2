"""Refusals survive the wire: every kind there and back, and what is no refusal stays hidden."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.problems import CODES, DETAILS_KEY, Fault, domain_of, from_rpc_error, is_retryable, to_status
from kernel.errors import (
    Busy,
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    PolicyParameterMissing,
    Refused,
    Unavailable,
    Violation,
)

KINDS = sorted(CODES, key=lambda kind: kind.__name__)


def over_the_wire(error: DomainError | Fault) -> DomainError | Fault:
    """What a caller of enrollment gets when enrollment raises `error`."""
    status = to_status(error, "enrollment")
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    return from_rpc_error(raw(code, status.SerializeToString()), "enrollment")


def raw(code: grpc.StatusCode, details: bytes | None = None) -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata(*([(DETAILS_KEY, details)] if details is not None else []))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "text of the transport")


def parts(error: DomainError) -> tuple[object, ...]:
    return (error.reason, error.message, error.field, error.source, error.retry_after, error.violations, error.metadata)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_arrives_as_it_was_raised(kind: type[DomainError]) -> None:
    error = kind(
        "SOME_REASON", "why it is so", field="lines[2].base", source=["SI-LAW"], retry_after=1.5, month="2025-11"
    )

    arrived = over_the_wire(error)

    assert isinstance(arrived, DomainError)
    assert type(arrived) is kind
    assert parts(arrived) == parts(error)
    assert domain_of(arrived) == "enrollment.hrss"


def test_every_kind_has_its_own_code() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert set(CODES) == set(DomainError.__subclasses__())


def test_several_wrong_fields_arrive_in_order() -> None:
    wrong = [Violation(f"rows[{row}].id_no", "ID_CHECKSUM", "the check digit is wrong") for row in range(5)]

    arrived = over_the_wire(InvalidInput("ROWS_WRONG", "some rows are wrong", violations=wrong))

    assert isinstance(arrived, InvalidInput)
    assert arrived.violations == tuple(wrong)


def test_a_thousand_wrong_fields_still_fit_into_metadata() -> None:
    wrong = [Violation(f"rows[{row}].id_no", "ID_CHECKSUM", "x" * 500) for row in range(1000)]

    status = to_status(InvalidInput("ROWS_WRONG", "some rows are wrong", violations=wrong), "enrollment")
    arrived = over_the_wire(InvalidInput("ROWS_WRONG", "some rows are wrong", violations=wrong))

    assert len(status.SerializeToString()) < 4500
    assert isinstance(arrived, InvalidInput)
    assert arrived.violations[0].field == "rows[0].id_no"


def test_a_subclass_of_a_kind_arrives_as_the_kind_with_its_metadata() -> None:
    arrived = over_the_wire(PolicyParameterMissing("unemployment.yaml", "steps", "2026-01-01"))

    assert type(arrived) is Refused
    assert arrived.metadata == {"file": "unemployment.yaml", "key": "steps", "on": "2026-01-01"}


def test_metadata_may_have_any_name() -> None:
    error = NotFound("SOME_REASON", "why")
    error.metadata = {"reason": "a", "message": "b", "field": "c"}

    arrived = over_the_wire(error)

    assert isinstance(arrived, NotFound)
    assert arrived.metadata == {"reason": "a", "message": "b", "field": "c"}


def test_a_fault_arrives_with_its_trace_and_nothing_else() -> None:
    arrived = over_the_wire(Fault(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error, trace abc", trace_id="abc"))

    assert isinstance(arrived, Fault)
    assert (arrived.code, arrived.reason, arrived.trace_id) == (grpc.StatusCode.INTERNAL, "INTERNAL", "abc")


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable, "SERVICE_UNAVAILABLE"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Busy, "SERVER_BUSY"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Fault, "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.CANCELLED, Fault, "CANCELLED"),
        (grpc.StatusCode.UNIMPLEMENTED, Fault, "UNIMPLEMENTED"),
        (grpc.StatusCode.UNKNOWN, Fault, "INTERNAL"),
        (grpc.StatusCode.NOT_FOUND, Fault, "INTERNAL"),
    ],
)
def test_what_the_transport_made_itself_has_a_reason_too(code: grpc.StatusCode, kind: type, reason: str) -> None:
    error = from_rpc_error(raw(code), "enrollment")

    assert type(error) is kind
    assert error.reason == reason
    assert "text of the transport" not in str(error)


@given(st.binary(max_size=64))
def test_unreadable_details_do_no_harm(details: bytes) -> None:
    assert from_rpc_error(raw(grpc.StatusCode.UNAVAILABLE, details), "enrollment").reason


def test_only_what_may_pass_is_retried() -> None:
    retried = {kind for kind in KINDS if is_retryable(kind("SOME_REASON", "why"))}

    assert retried == {Conflict, Busy, Unavailable}
