"""Refusals carry a reason, a kind and nothing personal."""

from datetime import date

import pytest

from kernel.errors import Conflict, DomainError, NotFound, PolicyParameterMissing, Refused, Violation


def test_a_refusal_carries_what_the_edge_needs() -> None:
    error = Refused(
        "TOO_EARLY",
        "before the earliest month",
        field="chosen",
        source=["MOHRSS-2024-94"],
        violations=[Violation("chosen", "TOO_EARLY", "too early")],
        earliest="2026-03",
    )

    assert (error.reason, error.field, error.source) == ("TOO_EARLY", "chosen", ("MOHRSS-2024-94",))
    assert error.metadata == {"earliest": "2026-03"}
    assert str(error) == "TOO_EARLY: before the earliest month"


def test_the_base_class_is_never_raised_itself() -> None:
    with pytest.raises(TypeError):
        DomainError("ANYTHING", "a kind is missing")


@pytest.mark.parametrize("reason", ["", "lower", "A", "HAS-HYPHEN", "X" * 64, "TRAILING\n"])
def test_a_reason_is_upper_snake(reason: str) -> None:
    with pytest.raises(ValueError, match="UPPER_SNAKE"):
        NotFound(reason, "no such thing")


def test_a_missing_parameter_is_a_refusal_that_names_file_key_and_day() -> None:
    error = PolicyParameterMissing("contribution.yaml", "work_injury.phase_reduction_factor", date(2025, 6, 1))

    assert error.kind is Refused
    assert error.reason == "POLICY_PARAMETER_MISSING"
    assert error.metadata == {
        "file": "contribution.yaml",
        "key": "work_injury.phase_reduction_factor",
        "on": "2025-06-01",
    }


def test_the_kind_of_a_plain_refusal_is_its_class() -> None:
    assert Conflict("SOMEBODY_FASTER", "read again", retry_after=1.0).kind is Conflict
