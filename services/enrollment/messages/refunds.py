"""Messages of what goes back: refunds and their results."""

from collections.abc import Sequence

from chassis.values import to_money, word_of
from hrss.enrollment.v1 import collection_service_pb2 as pb
from kernel import ids
from services.enrollment.collection import (
    Refund,
    RefundKind,
    RefundState,
)
from services.enrollment.messages.collection import id_text

_REFUNDS = {RefundKind.SUSPENSE: pb.REFUND_KIND_SUSPENSE, RefundKind.WITHHELD: pb.REFUND_KIND_WITHHELD}
_REFUND_STATES = {
    RefundState.PREPARED: pb.REFUND_STATE_PREPARED,
    RefundState.ORDERED: pb.REFUND_STATE_ORDERED,
    RefundState.REJECTED: pb.REFUND_STATE_REJECTED,
    RefundState.CONFIRMED: pb.REFUND_STATE_CONFIRMED,
    RefundState.RETURNED: pb.REFUND_STATE_RETURNED,
}
_OUTCOMES = {pb.REFUND_OUTCOME_CONFIRMED: True, pb.REFUND_OUTCOME_RETURNED: False}


def refund_state(request: pb.ListRefundsRequest) -> RefundState | None:
    """Read a state to look for; None looks for all."""
    return {number: state for state, number in _REFUND_STATES.items()}.get(request.state)


def outcome(request: pb.RecordRefundResultRequest) -> bool:
    """Whether a refund was paid back.

    Raises:
        InvalidInput: VALUE_REQUIRED.
    """
    return word_of(_OUTCOMES, request.outcome, "outcome")


def refund_prepared(refund: Refund) -> pb.PrepareRefundResponse:
    """Answer PrepareRefund."""
    return pb.PrepareRefundResponse(refund=_refund(refund))


def refund_decided(refund: Refund) -> pb.DecideRefundResponse:
    """Answer DecideRefund."""
    return pb.DecideRefundResponse(refund=_refund(refund))


def refund_page(page: tuple[Sequence[Refund], str]) -> pb.ListRefundsResponse:
    """Answer ListRefunds."""
    return pb.ListRefundsResponse(refunds=[_refund(one) for one in page[0]], next_page_token=page[1])


def refund_result(refund: Refund) -> pb.RecordRefundResultResponse:
    """Answer RecordRefundResult."""
    return pb.RecordRefundResultResponse(refund=_refund(refund))


def _refund(one: Refund) -> pb.Refund:
    return pb.Refund(
        refund_id=ids.to_text("rfd", one.refund_id),
        kind=_REFUNDS[one.kind],
        suspense_id=id_text("sus", one.suspense_id),
        employer_id=id_text("emp", one.employer_id),
        person_id=id_text("per", one.person_id),
        amount=to_money(one.amount),
        state=_REFUND_STATES[one.state],
        reason=one.reason,
        reference=one.reference,
        receipt_no=one.receipt_no,
    )
