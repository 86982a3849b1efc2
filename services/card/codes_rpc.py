"""The edges for devices, verifiers, lists and keys: three lines a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.card.v1 import codes_service_pb2 as pb
from hrss.card.v1 import keys_service_pb2 as keys_pb
from services.card.messages import codes, requests
from services.card.operations import devices, keys, publishing, verifiers

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.card.operations.office import Office


class CodesRpc(Servicer):
    """Devices, verifiers, lists."""

    service = pb.DESCRIPTOR.services_by_name["CodesService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def BindDevice(self, request: pb.BindDeviceRequest, call: Call) -> pb.BindDeviceResponse:
        """Bind a device."""
        command = requests.bind_device(request)
        await self.office.places.ready(call.database)
        return await call.once(lambda tx: devices.bind(tx, command, self.office), codes.bound)

    async def ListDevices(self, request: pb.ListDevicesRequest, call: Call) -> pb.ListDevicesResponse:
        """List the devices of a card."""
        card_id = requests.card(request.card_id)

        async def work(tx: Transaction) -> pb.ListDevicesResponse:
            return codes.devices(await devices.listed(tx, card_id), int(tx.now.timestamp()))

        return await call.read(work, lambda done: done)

    async def UnbindDevice(self, request: pb.UnbindDeviceRequest, call: Call) -> pb.UnbindDeviceResponse:
        """End the binding of a device."""
        card_id, device_id = requests.card(request.card_id), requests.device(request.device_id)
        return await call.once(lambda tx: devices.unbind(tx, card_id, device_id), codes.unbound)

    async def CreateChallenge(self, _: pb.CreateChallengeRequest, call: Call) -> pb.CreateChallengeResponse:
        """Make a challenge."""
        return await call.once(
            lambda tx: verifiers.challenge(tx, self.office),
            lambda audience: codes.challenge(audience, verifiers.CHALLENGE_SECONDS),
        )

    async def ReportOffline(self, request: pb.ReportOfflineRequest, call: Call) -> pb.ReportOfflineResponse:
        """Take what a verifier saw offline."""
        checks = requests.checks(request)
        return await call.once(
            lambda tx: verifiers.report(tx, checks, self.office), lambda doubles: codes.reported(len(checks), doubles)
        )

    async def GetTrustList(self, _: pb.GetTrustListRequest, call: Call) -> pb.GetTrustListResponse:
        """Show the trust list."""
        return await call.read(keys.trust_list, codes.trust_list)

    async def GetStatusList(self, request: pb.GetStatusListRequest, call: Call) -> pb.GetStatusListResponse:
        """Show a status list."""
        return await call.read(lambda tx: publishing.get(tx, request.list_no), codes.status_list)

    async def GetStatusDelta(self, request: pb.GetStatusDeltaRequest, call: Call) -> pb.GetStatusDeltaResponse:
        """Show what changed in a list."""
        return await call.read(
            lambda tx: publishing.changes(tx, request.list_no, request.after_sequence), codes.changes
        )

    async def RegisterVerifier(self, request: pb.RegisterVerifierRequest, call: Call) -> pb.RegisterVerifierResponse:
        """Register a contract."""
        verifier = requests.verifier(request, self.office.policy.purposes.on(call.today).value)
        return await call.once(lambda tx: verifiers.register(tx, verifier), codes.registered)

    async def SuspendVerifier(self, request: pb.SuspendVerifierRequest, call: Call) -> pb.SuspendVerifierResponse:
        """Suspend a verifier."""
        return await call.once(
            lambda tx: verifiers.suspend(tx, request.client, is_active=request.active), codes.suspended
        )


class KeysRpc(Servicer):
    """Signing keys."""

    service = keys_pb.DESCRIPTOR.services_by_name["KeysService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def ListKeys(self, _: keys_pb.ListKeysRequest, call: Call) -> keys_pb.ListKeysResponse:
        """List the keys."""
        return await call.read(
            lambda tx: keys.listed(tx, self.office), lambda found: codes.keys(found, self.office.keys.profile.name)
        )

    async def GenerateKey(self, request: keys_pb.GenerateKeyRequest, call: Call) -> keys_pb.GenerateKeyResponse:
        """Make a key."""
        return await call.once(lambda tx: keys.generate(tx, request.purpose, self.office), codes.generated)

    async def ChangeKey(self, request: keys_pb.ChangeKeyRequest, call: Call) -> keys_pb.ChangeKeyResponse:
        """Let a key stand elsewhere."""
        return await call.once(lambda tx: keys.change(tx, request.key_id, request.state), codes.key_changed)

    async def DraftTrustList(self, _: keys_pb.DraftTrustListRequest, call: Call) -> keys_pb.DraftTrustListResponse:
        """Show the next trust list."""
        return await call.read(lambda tx: keys.draft(tx, self.office), codes.draft)

    async def PublishTrustList(
        self, request: keys_pb.PublishTrustListRequest, call: Call
    ) -> keys_pb.PublishTrustListResponse:
        """Publish a trust list."""
        body = requests.octets(request.trust_list, "trust_list", 1, 65_536)
        return await call.once(lambda tx: keys.publish(tx, body, self.office), codes.trust_published)
