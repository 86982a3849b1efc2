"""Devices of a holder: a card is bound to at most two, each with a credential and a place of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import InvalidInput, NotFound, Refused
from services.card import credentials, tokens
from services.card.credentials import Credential
from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import KeyWrong
from services.card.domain import family
from services.card.domain.lifecycle import CardState
from services.card.domain.verification import mask_short
from services.card.operations import holders, keys, life
from services.card.results import Bound
from services.card.store import bindings
from services.card.store import holders as holder_rows
from services.card.store.bindings import Binding
from services.card.tokens import REFERENCE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import BindDevice
    from services.card.operations.office import Office
    from services.card.store.rows import CardRow, HolderRow

OWN_MAX = 2  # of the holder, and of each delegate for each ward
DAY_SECONDS, SHANGHAI_SECONDS = 86_400, 8 * 3_600
CREDENTIAL_SECONDS = 30 * DAY_SECONDS


async def bind(tx: Transaction, command: BindDevice, office: Office) -> Bound:
    """Bind a device, or renew its credential: the binding before ends, and its place with it.

    Raises:
        NotFound: CARD_NOT_FOUND.
        InvalidInput: DEVICE_KEY_INVALID.
        Refused: CARD_NOT_ACTIVE, CARD_NOT_USABLE, DEVICE_LIMIT_REACHED.
    """
    card = await life.load(tx, command.card_id, lock=True, holder_only=True)
    holder = await holders.known(tx, card.person_id)
    life.require_usable(tx, card, holder, office)
    if card.state is not CardState.ACTIVE:
        raise Refused("CARD_NOT_ACTIVE", "only an active card is shown", state=card.state.value)
    await require_key(tx, office, command.device_key, command.proof, ids.to_text("crd", card.card_id))
    there = await bindings.devices(tx, card.card_id)
    if await make_room(tx, [one for one in there if one.role == bindings.OWN], there, command.device_key):
        # A new device, also the first: whoever took over an account gets nothing that moves money for a while.
        card.level_two_from = tx.now + timedelta(hours=office.policy.cool_down_hours.on(tx.today).value)
    device = Device(bindings.OWN, command.device_key)
    bound = await bind_device(tx, device, card, holder, office)
    tx.audit(
        "device_bound",
        person_id=card.person_id,
        detail={"card_id": ids.to_text("crd", card.card_id), "device_id": bindings.text(bound.binding_id)},
    )
    return bound


@dataclass(frozen=True, slots=True)
class Device:
    """A device to bind: whose it is, its key, and where it shows a card for a family member the account and its end."""

    role: str
    key: bytes
    delegation_id: UUID | None = None
    last_day: date | None = None


async def require_key(tx: Transaction, office: Office, key: bytes, proof: bytes, bound_to: str) -> None:
    """A device holds the key that it wants bound.

    Raises:
        InvalidInput: DEVICE_KEY_INVALID.
    """
    await keys.refresh(tx, office.keys)
    try:
        device = profiles.public(office.keys.profile.alg, key)
    except KeyWrong:
        raise InvalidInput("DEVICE_KEY_INVALID", "no public key of the profile", field="device_key") from None
    if not credentials.binds(device, proof, bound_to):
        raise InvalidInput("DEVICE_KEY_INVALID", "the device did not sign with this key", field="proof")


async def make_room(tx: Transaction, mine: Sequence[Binding], there: Sequence[Binding], key: bytes) -> bool:
    """The same device again takes the place of its binding before; another one finds a place, or none.

    Args:
        tx: The transaction.
        mine: The devices of the same person that show the card.
        there: All devices that show it.
        key: Of the device.

    Returns:
        Whether it is a device that did not show the card before.

    Raises:
        InvalidInput: DEVICE_KEY_INVALID: somebody else's device has this key.
        Refused: DEVICE_LIMIT_REACHED.
    """
    before = next((one for one in there if one.device_key == key), None)
    if before is not None and before not in mine:
        raise InvalidInput("DEVICE_KEY_INVALID", "the key is bound to the card already", field="device_key")
    if before is not None:
        await bindings.withdraw(tx, before.binding_id)
    elif len(mine) >= OWN_MAX:
        raise Refused("DEVICE_LIMIT_REACHED", "a card is bound to two devices of a person at most")
    return before is None


async def bind_device(tx: Transaction, device: Device, card: CardRow, holder: HolderRow, office: Office) -> Bound:
    """Give a device its reference, its place and its credential; the card is locked."""
    now = int(tx.now.timestamp())
    seconds = CREDENTIAL_SECONDS if device.last_day is None else min(CREDENTIAL_SECONDS, left(tx, device.last_day))
    list_no, index = office.places.take()
    bound = Binding(
        binding_id=ids.new_id(),
        card_id=card.card_id,
        role=device.role,
        device_key=device.key,
        reference=office.tell(REFERENCE_BYTES),
        list_no=list_no,
        index=index,
        cred_exp=now + seconds,
        is_live=True,
        delegation_id=device.delegation_id,
    )
    await bindings.add(tx, bound)
    credential = Credential(
        reference=bound.reference,
        iat=now,
        exp=now + seconds,
        device_key=device.key,
        list_no=list_no,
        index=index,
        level=life.usable_level(card, tx.now),
        masked_name=mask_short(holder_rows.name(tx, holder)),
        last4=holder_rows.id_no(tx, holder)[-4:],
        flags=flags(tx, holder, office, by_family=device.role == bindings.DELEGATE),
    )
    return Bound(bound.binding_id, credentials.issue(credential, office.keys), seconds)


def left(tx: Transaction, last_day: date) -> int:
    """Seconds until the end of a day in Shanghai, seen from the business day."""
    return ((last_day - tx.today).days + 1) * DAY_SECONDS - (int(tx.now.timestamp()) + SHANGHAI_SECONDS) % DAY_SECONDS


def flags(tx: Transaction, holder: HolderRow, office: Office, *, by_family: bool) -> int:
    """What a code says of who shows it and of its holder."""
    is_minor = family.is_minor(holder.birth_date, tx.today, office.policy.consent_age.on(tx.today).value)
    return (tokens.FLAG_FAMILY if by_family else 0) | (tokens.FLAG_MINOR if is_minor else 0)


async def bind_server(tx: Transaction, card: CardRow, office: Office) -> None:
    """Give a card that is issued its place: the codes that are minted for it refer to the card's own reference."""
    assert card.reference is not None
    list_no, index = office.places.take()
    bound = Binding(
        ids.new_id(), card.card_id, bindings.SERVER, None, card.reference, list_no, index, None, is_live=True
    )
    await bindings.add(tx, bound)


async def listed(tx: Transaction, card_id: UUID) -> Sequence[Binding]:
    """The devices of a card of the caller.

    Raises:
        NotFound: CARD_NOT_FOUND.
    """
    card = await life.load(tx, card_id, holder_only=True)
    return await bindings.devices(tx, card.card_id)


async def unbind(tx: Transaction, card_id: UUID, binding_id: UUID) -> None:
    """End the binding of a device; the other one is not touched.

    Raises:
        NotFound: CARD_NOT_FOUND, DEVICE_NOT_FOUND.
    """
    card = await life.load(tx, card_id, lock=True, holder_only=True)
    mine = {one.binding_id for one in await bindings.devices(tx, card.card_id)}
    if binding_id not in mine or not await bindings.withdraw(tx, binding_id):
        raise NotFound("DEVICE_NOT_FOUND", "the card is bound to no such device")
    tx.audit(
        "device_unbound",
        person_id=card.person_id,
        detail={"card_id": ids.to_text("crd", card.card_id), "device_id": bindings.text(binding_id)},
    )
