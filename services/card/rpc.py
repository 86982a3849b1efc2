"""The edge of the card service for callers: three lines a method."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chassis.logs import get_logger
from chassis.rpc import Call, Servicer
from chassis.values import to_job
from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from services.card.domain.verification import Detail
from services.card.messages import living, replies, requests
from services.card.operations import daily, ending, feed, holding, keys, losing, requesting, showing, verifying
from services.card.results import Verified

if TYPE_CHECKING:
    from services.card.operations.office import Office

log = get_logger(__name__)


class CardRpc(Servicer):
    """What the card service answers."""

    service = pb.DESCRIPTOR.services_by_name["CardService"]

    def __init__(self, office: Office) -> None:
        self.office = office
        self._ask_again = 0.0

    async def AnnouncePhysicalCard(
        self, request: pb.AnnouncePhysicalCardRequest, call: Call
    ) -> pb.AnnouncePhysicalCardResponse:
        """Take an event of a physical card."""
        command = requests.announce(request, call.today)
        await self.office.places.ready(call.database)
        self._keep_no_plain_digest(call)
        return await call.once(lambda tx: feed.announce(tx, command, self.office), replies.announced)

    async def GetCard(self, request: pb.GetCardRequest, call: Call) -> pb.GetCardResponse:
        """Show a card."""
        card_id = requests.card(request.card_id)
        return await call.read(lambda tx: showing.card(tx, card_id, self.office), replies.card)

    async def ListCards(self, request: pb.ListCardsRequest, call: Call) -> pb.ListCardsResponse:
        """List the cards of a person."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(lambda tx: showing.cards_of(tx, person_id, self.office), replies.cards)

    async def ActivateCard(self, request: pb.ActivateCardRequest, call: Call) -> pb.ActivateCardResponse:
        """Activate a card."""
        command = requests.activate(request)
        self._keep_no_plain_digest(call)
        return await call.once(lambda tx: holding.activate(tx, command, self.office), replies.activated)

    async def ConfirmPin(self, request: pb.ConfirmPinRequest, call: Call) -> pb.ConfirmPinResponse:
        """Confirm by the PIN."""
        command = requests.confirm_pin(request)
        self._keep_no_plain_digest(call)
        return await call.once(lambda tx: holding.confirm_pin(tx, command, self.office), replies.pin_tried)

    async def ResetPin(self, request: pb.ResetPinRequest, call: Call) -> pb.ResetPinResponse:
        """Set a new PIN of a locked card."""
        command = requests.reset_pin(request)
        self._keep_no_plain_digest(call)
        return await call.once(lambda tx: holding.reset_pin(tx, command, self.office), replies.pin_reset)

    async def ReportLoss(self, request: pb.ReportLossRequest, call: Call) -> pb.ReportLossResponse:
        """Report a loss."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: losing.report(tx, card_id, self.office), replies.loss_reported)

    async def LiftLoss(self, request: pb.LiftLossRequest, call: Call) -> pb.LiftLossResponse:
        """Lift a loss."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: losing.lift(tx, card_id, self.office), replies.loss_lifted)

    async def CancelCard(self, request: pb.CancelCardRequest, call: Call) -> pb.CancelCardResponse:
        """Cancel a card."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: ending.cancel(tx, card_id, self.office), replies.cancelled)

    async def RequestCard(self, request: pb.RequestCardRequest, call: Call) -> pb.RequestCardResponse:
        """Ask for a card."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        evidence = living.evidence(request.evidence_ref, may_be_empty=True)
        await self.office.places.ready(call.database)
        return await call.once(lambda tx: requesting.request(tx, person_id, evidence, self.office), living.requested)

    async def StartProof(self, request: pb.StartProofRequest, call: Call) -> pb.StartProofResponse:
        """Begin the proof of identity."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: requesting.start_proof(tx, card_id, self.office), living.started)

    async def ListOpenProofs(self, _: pb.ListOpenProofsRequest, call: Call) -> pb.ListOpenProofsResponse:
        """List the cards whose holders stand before the camera."""
        return await call.read(requesting.open_proofs, living.open_proofs)

    async def RecordProof(self, request: pb.RecordProofRequest, call: Call) -> pb.RecordProofResponse:
        """Take the answer of a check."""
        card_id, proof = living.proof(request, by_counter=call.principal.is_staff)
        await self.office.places.ready(call.database)
        return await call.once(lambda tx: requesting.record(tx, card_id, proof, self.office), living.proved)

    async def FindCard(self, request: pb.FindCardRequest, call: Call) -> pb.FindCardResponse:
        """Find a card by its number."""
        issue_no = living.issue_no(request.issue_no)
        return await call.read(lambda tx: showing.by_number(tx, issue_no, self.office), living.found)

    async def ReportLossByHotline(
        self, request: pb.ReportLossByHotlineRequest, call: Call
    ) -> pb.ReportLossByHotlineResponse:
        """Report the loss of a caller of 12333."""
        command = living.by_hotline(request, call.today)
        self._keep_no_plain_digest(call)
        return await call.once(lambda tx: losing.report_by_hotline(tx, command, self.office), living.hotline_reported)

    async def ReportFormalLoss(self, request: pb.ReportFormalLossRequest, call: Call) -> pb.ReportFormalLossResponse:
        """Report a formal loss."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: losing.report_formally(tx, card_id, self.office), living.formally_lost)

    async def ReplaceCard(self, request: pb.ReplaceCardRequest, call: Call) -> pb.ReplaceCardResponse:
        """Replace a card that was formally lost."""
        card_id = requests.card(request.card_id)
        await self.office.places.ready(call.database)
        return await call.once(lambda tx: losing.replace(tx, card_id, self.office), living.replaced)

    async def PrepareCancel(self, request: pb.PrepareCancelRequest, call: Call) -> pb.PrepareCancelResponse:
        """Take in a cancellation."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: ending.prepare_cancel(tx, card_id, request.reason), living.cancel_prepared)

    async def DecideCancel(self, request: pb.DecideCancelRequest, call: Call) -> pb.DecideCancelResponse:
        """Decide on a cancellation."""
        command = living.decide_cancel(request)
        return await call.once(lambda tx: ending.decide_cancel(tx, command, self.office), living.cancel_decided)

    async def LockCard(self, request: pb.LockCardRequest, call: Call) -> pb.LockCardResponse:
        """Lock a card for a risk."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: ending.lock_for_risk(tx, card_id, request.reason, self.office), living.locked)

    async def UnlockCard(self, request: pb.UnlockCardRequest, call: Call) -> pb.UnlockCardResponse:
        """Lift the lock of a card."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: ending.unlock(tx, card_id, request.reason, self.office), living.unlocked)

    async def ListCardNotices(self, request: pb.ListCardNoticesRequest, call: Call) -> pb.ListCardNoticesResponse:
        """List what a holder was told."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(lambda tx: losing.notices(tx, person_id), living.notices)

    async def StartCardDay(self, _: pb.StartCardDayRequest, call: Call) -> pb.StartCardDayResponse:
        """Start what the day brings."""
        return await call.once(
            lambda tx: daily.start(tx, self.office), lambda job: pb.StartCardDayResponse(job=to_job(job))
        )

    async def MintToken(self, request: pb.MintTokenRequest, call: Call) -> pb.MintTokenResponse:
        """Mint a code to show."""
        card_id = requests.card(request.card_id)
        return await call.read(lambda tx: showing.mint(tx, card_id, self.office), replies.minted)

    async def VerifyToken(self, request: pb.VerifyTokenRequest, call: Call) -> pb.VerifyTokenResponse:
        """Verify a code; one that is not ours is answered before anything is looked up or stored."""
        command, to_staff = requests.verify(request), call.principal.is_staff
        shown = verifying.opened(command.token, self.office)
        if shown is Detail.UNKNOWN_KEY and self._may_ask():
            await call.read(lambda tx: keys.refresh(tx, self.office.keys), lambda _: pb.VerifyTokenResponse())
            shown = verifying.opened(command.token, self.office)
        if isinstance(shown, Detail):
            log.info("code_not_ours", detail=shown.value, verifier=call.principal.client)
            return replies.verified(Verified(shown), to_staff=to_staff)
        return await call.once(
            lambda tx: verifying.verify(tx, shown, command, self.office),
            lambda done: replies.verified(done, to_staff=to_staff),
        )

    def _may_ask(self) -> bool:
        """Whether to look for keys that another process made: once a second, however many strange codes come."""
        now = time.monotonic()
        if now < self._ask_again:
            return False
        self._ask_again = now + 1
        return True

    def _keep_no_plain_digest(self, call: Call) -> None:
        """Remember the request by a keyed digest: a plain one would give a PIN away to whoever counts to 10^6."""
        call.digest = self.office.keys.request_digest(call.digest)
