"""The desk of codes: devices that are bound, lists that are published, the service with either profile."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cbor2

from chassis import transaction
from chassis.principal import Principal
from hrss.card.v1 import codes_service_pb2 as codes_pb
from services.card import cose, credentials, status
from services.card.operations import publishing
from services.card.service import build
from services.card.settings import CardSettings
from services.card.status import SIZE, Status
from tests.card.builders import TODAY, Desk, a_key
from tests.card.test_verifying import seconds
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from chassis.config import Settings
    from chassis.service import Service
    from services.card.crypto.algorithms import Private
    from services.card.operations.office import Office
    from tests.card.builders import Person

SYSTEM = Principal.system("card")
_nonces = itertools.count(1)


def with_profile(settings: Settings, name: str) -> Service:
    """The service as it is with a profile."""
    return build(CardSettings.model_construct(**dict(settings) | {"card_crypto_profile": name}))


def text(data: bytes) -> str:
    """Bytes as they travel."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def octets(data: str) -> bytes:
    """And back."""
    return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))


@dataclass
class Phone:
    """A device that was bound to a card."""

    key: Private
    device_id: str
    blob: bytes

    def shows(self, age: int = 0, nonce: bytes = b"", audience: bytes = b"") -> str:
        """A code."""
        return credentials.present(
            self.blob, self.key, seconds() - age, nonce or next(_nonces).to_bytes(6, "big"), audience
        )


@dataclass
class Codes(Desk):
    """The desk of codes: the service of either profile, and its keys as it has them."""

    office: Office

    async def bind(self, person: Person, card_id: str, key: Private | None = None) -> Phone:
        """Bind a device."""
        key = key or self.office.keys.profile.generate()
        proof = key.sign(cose.write(["NT1/B", card_id, key.public.point]))
        request = codes_pb.BindDeviceRequest(
            request_id=a_key(), card_id=card_id, device_key=text(key.public.point), proof=text(proof)
        )
        reply = await self.call("BindDevice", request, person.acting(3))
        return Phone(key, reply.device_id, octets(reply.credential))

    async def run(self, work: Any) -> Any:
        """Run an operation by itself."""
        return await transaction.run(self.database, work, principal=SYSTEM, today=TODAY)

    async def published(self) -> list[int]:
        """Publish what is to be published."""
        done: list[int] = await self.run(lambda tx: publishing.publish(tx, self.office))
        return done

    async def list_says(self, phone: Phone) -> Status:
        """What the published list says of a device."""
        fields = cbor2.loads(cbor2.loads(phone.blob)[2])
        reply = await self.call(
            "GetStatusList", codes_pb.GetStatusListRequest(list_no=fields[5]), a_principal(["PUBLIC"])
        )
        claims = cbor2.loads(cbor2.loads(octets(reply.cwt)).value[2])
        return Status(status.get(status.inflate(claims[65533]["lst"], SIZE // 4), fields[6]))
