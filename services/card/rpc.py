"""The edge of the card service for callers: three lines a method."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chassis.logs import get_logger
from chassis.rpc import Call, Servicer
from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from services.card.domain.verification import Detail
from services.card.messages import replies, requests
from services.card.operations import feed, holding, keys, showing, verifying
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
        return await call.once(lambda tx: holding.report_loss(tx, card_id, self.office), replies.loss_reported)

    async def LiftLoss(self, request: pb.LiftLossRequest, call: Call) -> pb.LiftLossResponse:
        """Lift a loss."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: holding.lift_loss(tx, card_id, self.office), replies.loss_lifted)

    async def CancelCard(self, request: pb.CancelCardRequest, call: Call) -> pb.CancelCardResponse:
        """Cancel a card."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: holding.cancel(tx, card_id, self.office), replies.cancelled)

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
