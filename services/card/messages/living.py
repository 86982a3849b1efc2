"""Requests, losses, replacements and ends of cards: as commands, and the answers to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chassis.values import to_date
from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput
from services.card.commands import DecideCancel, ReportByHotline
from services.card.domain import number as numbers
from services.card.messages.replies import card as shown_card
from services.card.messages.requests import card, id_no
from services.card.messages.states import CARD_STATES, CAUSES, CHANGES
from services.card.store.proofs import Method, Proof

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from services.card.operations.requesting import Proved
    from services.card.results import ShownCard
    from services.card.store.rows import CardRow, NoticeRow

_REFERENCE = re.compile(r"[!-~]{2,80}", re.ASCII)


def evidence(text: str, *, may_be_empty: bool = False) -> str:
    """The number of a record: printable ASCII, so that it is no name.

    Raises:
        InvalidInput: EVIDENCE_REQUIRED.
    """
    if not _REFERENCE.fullmatch(text) and not (may_be_empty and not text):
        raise InvalidInput("EVIDENCE_REQUIRED", "the number of the record, 2 to 80 characters", field="evidence_ref")
    return text


def proof(request: pb.RecordProofRequest, *, by_counter: bool) -> tuple[UUID, Proof]:
    """The answer of a check, and for which card."""
    method = Method.COUNTER if by_counter else Method.FACE
    simulated = request.simulated and not by_counter
    answer = Proof(method, evidence(request.evidence_ref), passed=request.passed, simulated=simulated)
    return card(request.card_id), answer


def issue_no(text: str) -> str:
    """An issue number as it was meant.

    Raises:
        InvalidInput: ISSUE_NO_INVALID: length or check digits; nothing was looked up.
    """
    if not (meant := numbers.read(text)):
        raise InvalidInput("ISSUE_NO_INVALID", "an issue number has 20 digits that fit together", field="issue_no")
    return meant


def by_hotline(request: pb.ReportLossByHotlineRequest, today: date) -> ReportByHotline:
    """A call to 12333."""
    number = id_no(request.id_no, today)
    if not _REFERENCE.fullmatch(request.call_ref):
        raise InvalidInput("CALL_REF_REQUIRED", "the number of the call, 2 to 80 characters", field="call_ref")
    return ReportByHotline(number, request.call_ref)


def decide_cancel(request: pb.DecideCancelRequest) -> DecideCancel:
    """What the second person says."""
    approval_id = ids.parse("apr", request.approval_id, field="approval_id")
    return DecideCancel(card(request.card_id), approval_id, request.approve, request.reason)


def requested(shown: ShownCard) -> pb.RequestCardResponse:
    """A card that was asked for."""
    return pb.RequestCardResponse(card=shown_card(shown).card)


def started(shown: ShownCard) -> pb.StartProofResponse:
    """A card whose holder stands before the camera."""
    return pb.StartProofResponse(card=shown_card(shown).card)


def open_proofs(found: Sequence[UUID]) -> pb.ListOpenProofsResponse:
    """Cards that wait for an answer."""
    return pb.ListOpenProofsResponse(card_ids=[ids.to_text("crd", one) for one in found])


def proved(done: Proved) -> pb.RecordProofResponse:
    """What became of an answer."""
    return pb.RecordProofResponse(state=CARD_STATES[done.card.state], repeated=done.repeated)


def found(shown: ShownCard) -> pb.FindCardResponse:
    """The card with a number."""
    return pb.FindCardResponse(card=shown_card(shown).card)


def hotline_reported(row: CardRow) -> pb.ReportLossByHotlineResponse:
    """A card that the hotline suspended: where it stands and nothing else."""
    return pb.ReportLossByHotlineResponse(state=CARD_STATES[row.state])


def formally_lost(shown: ShownCard) -> pb.ReportFormalLossResponse:
    """A card that never comes back."""
    return pb.ReportFormalLossResponse(card=shown_card(shown).card)


def replaced(shown: ShownCard) -> pb.ReplaceCardResponse:
    """The card in its place."""
    return pb.ReplaceCardResponse(card=shown_card(shown).card)


def cancel_prepared(approval_id: UUID) -> pb.PrepareCancelResponse:
    """What the second person decides on."""
    return pb.PrepareCancelResponse(approval_id=ids.to_text("apr", approval_id))


def cancel_decided(shown: ShownCard) -> pb.DecideCancelResponse:
    """The card after the decision."""
    return pb.DecideCancelResponse(card=shown_card(shown).card)


def locked(shown: ShownCard) -> pb.LockCardResponse:
    """A locked card."""
    return pb.LockCardResponse(card=shown_card(shown).card)


def unlocked(shown: ShownCard) -> pb.UnlockCardResponse:
    """A card whose lock was lifted."""
    return pb.UnlockCardResponse(card=shown_card(shown).card)


def notices(rows: Sequence[NoticeRow]) -> pb.ListCardNoticesResponse:
    """What a holder was told."""
    return pb.ListCardNoticesResponse(
        notices=[
            pb.CardNotice(
                card_id=ids.to_text("crd", row.card_id) if row.card_id is not None else "",
                change=CHANGES[row.event],
                cause=CAUSES[row.actor],
                business_date=to_date(row.business_date),
            )
            for row in rows
        ]
    )
