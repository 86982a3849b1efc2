"""Answers about devices, verifiers, lists and keys. Bytes travel as base64url without padding."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from hrss.card.v1 import codes_service_pb2 as pb
from hrss.card.v1 import keys_service_pb2 as keys_pb
from services.card import trust as trusts
from services.card.messages.requests import ALGORITHMS
from services.card.store import bindings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.card.keyring import SigningKey
    from services.card.results import Bound
    from services.card.store.bindings import Binding, Published
    from services.card.store.verifiers import Verifier
    from services.card.trust import TrustList

_NAMES = {alg: name for name, alg in ALGORITHMS.items()}


def text(data: bytes) -> str:
    """Bytes as base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bound(done: Bound) -> pb.BindDeviceResponse:
    """A device that was bound."""
    return pb.BindDeviceResponse(
        device_id=bindings.text(done.binding_id), credential=text(done.credential), valid_seconds=done.valid_seconds
    )


def devices(found: Sequence[Binding], now: int) -> pb.ListDevicesResponse:
    """The devices of a card."""
    return pb.ListDevicesResponse(
        devices=[
            pb.Device(device_id=bindings.text(one.binding_id), valid_seconds=max(0, (one.cred_exp or 0) - now))
            for one in found
        ]
    )


def unbound(_: None) -> pb.UnbindDeviceResponse:
    """A binding that ended."""
    return pb.UnbindDeviceResponse()


def challenge(audience: bytes, valid_seconds: int) -> pb.CreateChallengeResponse:
    """A challenge."""
    return pb.CreateChallengeResponse(audience=text(audience), valid_seconds=valid_seconds)


def reported(accepted: int, doubles: int) -> pb.ReportOfflineResponse:
    """What became of a report."""
    return pb.ReportOfflineResponse(accepted_count=accepted, double_use_count=doubles)


def trust_list(found: tuple[int, bytes]) -> pb.GetTrustListResponse:
    """The trust list."""
    return pb.GetTrustListResponse(sequence=found[0], trust_list=text(found[1]))


def status_list(found: Published) -> pb.GetStatusListResponse:
    """A status list."""
    return pb.GetStatusListResponse(cwt=text(found.cwt), jwt=found.jwt, sequence=found.sequence)


def changes(found: tuple[list[bytes], int]) -> pb.GetStatusDeltaResponse:
    """What changed in a list."""
    return pb.GetStatusDeltaResponse(changes=[text(one) for one in found[0]], sequence=found[1])


def registered(verifier: Verifier) -> pb.RegisterVerifierResponse:
    """A contract."""
    return pb.RegisterVerifierResponse(verifier=_verifier(verifier))


def suspended(verifier: Verifier) -> pb.SuspendVerifierResponse:
    """A contract."""
    return pb.SuspendVerifierResponse(verifier=_verifier(verifier))


def keys(found: Sequence[SigningKey], profile: str) -> keys_pb.ListKeysResponse:
    """The signing keys."""
    return keys_pb.ListKeysResponse(keys=map(_key, found), profile=profile)


def generated(key: SigningKey) -> keys_pb.GenerateKeyResponse:
    """A key that was made."""
    return keys_pb.GenerateKeyResponse(key=_key(key))


def key_changed(key: SigningKey) -> keys_pb.ChangeKeyResponse:
    """A key that stands elsewhere."""
    return keys_pb.ChangeKeyResponse(key=_key(key))


def draft(trust: TrustList) -> keys_pb.DraftTrustListResponse:
    """A list for the root to sign."""
    return keys_pb.DraftTrustListResponse(payload=text(trusts.payload(trust)), sequence=trust.sequence)


def trust_published(sequence: int) -> keys_pb.PublishTrustListResponse:
    """A trust list that was published."""
    return keys_pb.PublishTrustListResponse(sequence=sequence)


def _verifier(verifier: Verifier) -> pb.Verifier:
    return pb.Verifier(
        client=verifier.client,
        name=verifier.name,
        active=verifier.is_active,
        purposes=verifier.purposes,
        daily_quota=verifier.daily_quota,
        alg=_NAMES[verifier.alg] if verifier.alg is not None else "",
    )


def _key(key: SigningKey) -> keys_pb.SigningKey:
    return keys_pb.SigningKey(
        key_id=key.label,
        purpose=key.purpose.value,
        alg=_NAMES[key.public.alg],
        state=key.state.value,
        public_key=text(key.public.point),
    )
