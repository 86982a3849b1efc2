"""The facts that are said about cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hrss.gateway.v1 import gateway_events_pb2 as pb
from hrss.type.v1 import fact_pb2
from kernel import ids
from services.gateway.cases.effects import all as catalog

if TYPE_CHECKING:
    from services.gateway.cases.store import CaseRow


def submitted(row: CaseRow, parent_no: str) -> pb.CaseSubmitted.Fact:
    """A case was handed in."""
    bundle = catalog.is_bundle(row.code)
    return pb.CaseSubmitted.Fact(
        header=_header(row),
        case_no=row.case_no,
        item_code="" if bundle else row.code,
        bundle_code=row.code if bundle else "",
        parent_case_no=parent_no,
        person_id=ids.to_text("per", row.person_id) if row.person_id else "",
    )


def accepted(row: CaseRow) -> pb.CaseAccepted.Fact:
    """A case was accepted."""
    return pb.CaseAccepted.Fact(header=_header(row), case_no=row.case_no)


def decided(row: CaseRow, *, is_approved: bool) -> pb.CaseDecided.Fact:
    """A case was decided."""
    return pb.CaseDecided.Fact(
        header=_header(row), case_no=row.case_no, is_approved=is_approved, problem_code=row.problem_code
    )


def closed(row: CaseRow) -> pb.CaseClosed.Fact:
    """A case came to its end."""
    return pb.CaseClosed.Fact(header=_header(row), case_no=row.case_no, end=row.state.value, result_id=row.result_id)


def _header(row: CaseRow) -> fact_pb2.FactHeader:
    return fact_pb2.FactHeader(aggregate_id=row.text_id)
