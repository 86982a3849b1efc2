"""The edge for family accounts: three lines a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.card.v1 import family_service_pb2 as pb
from kernel import ids
from services.card.messages import family as messages
from services.card.messages import requests
from services.card.operations import family, family_devices

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.card.operations.office import Office


class FamilyRpc(Servicer):
    """Family accounts."""

    service = pb.DESCRIPTOR.services_by_name["FamilyService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def InviteWard(self, request: pb.InviteWardRequest, call: Call) -> pb.InviteWardResponse:
        """Invite a family member."""
        command = messages.invite(request, call.today)
        self._keep_no_plain_digest(call)
        return await call.once(lambda tx: family.invite(tx, command, self.office), messages.invited)

    async def ConsentToDelegation(
        self, request: pb.ConsentToDelegationRequest, call: Call
    ) -> pb.ConsentToDelegationResponse:
        """Agree to a family account."""
        command = messages.consent(request)
        self._keep_no_plain_digest(call)
        return await call.once(lambda tx: family.consent(tx, command, self.office), messages.consented)

    async def EndDelegation(self, request: pb.EndDelegationRequest, call: Call) -> pb.EndDelegationResponse:
        """End a family account."""
        delegation_id = messages.delegation(request.delegation_id)
        return await call.once(lambda tx: family.end(tx, delegation_id, self.office), messages.ended)

    async def ListDelegations(self, request: pb.ListDelegationsRequest, call: Call) -> pb.ListDelegationsResponse:
        """List the family accounts of a person."""
        person_id = ids.parse("per", request.person_id, field="person_id")

        async def work(tx: Transaction) -> pb.ListDelegationsResponse:
            return messages.listed(await family.listed(tx, person_id, self.office), int(tx.now.timestamp()))

        return await call.read(work, lambda done: done)

    async def ConfirmActing(self, request: pb.ConfirmActingRequest, call: Call) -> pb.ConfirmActingResponse:
        """Confirm that a delegate may do something for a ward."""
        delegation_id, scope = messages.acting(request)
        return await call.read(
            lambda tx: family.confirm_acting(tx, delegation_id, scope, self.office), messages.acting_confirmed
        )

    async def MintWardToken(self, request: pb.MintWardTokenRequest, call: Call) -> pb.MintWardTokenResponse:
        """Mint a code of the ward's card."""
        delegation_id = messages.delegation(request.delegation_id)
        return await call.read(lambda tx: family_devices.mint(tx, delegation_id, self.office), messages.minted)

    async def GetWardCard(self, request: pb.GetWardCardRequest, call: Call) -> pb.GetWardCardResponse:
        """Show the ward's card."""
        delegation_id = messages.delegation(request.delegation_id)
        return await call.read(lambda tx: family.ward_card(tx, delegation_id, self.office), messages.ward_card)

    async def BindDelegateDevice(
        self, request: pb.BindDelegateDeviceRequest, call: Call
    ) -> pb.BindDelegateDeviceResponse:
        """Bind a device of the delegate."""
        command = messages.bind_device(request)
        await self.office.places.ready(call.database)
        return await call.once(lambda tx: family_devices.bind(tx, command, self.office), messages.bound)

    async def UnbindDelegateDevice(
        self, request: pb.UnbindDelegateDeviceRequest, call: Call
    ) -> pb.UnbindDelegateDeviceResponse:
        """End the binding of a device of the delegate."""
        delegation_id, device_id = messages.delegation(request.delegation_id), requests.device(request.device_id)
        return await call.once(lambda tx: family_devices.unbind(tx, delegation_id, device_id), messages.unbound)

    def _keep_no_plain_digest(self, call: Call) -> None:
        """Remember the request by a keyed digest: a plain one gives a PIN or an identity number away."""
        call.digest = self.office.keys.request_digest(call.digest)
