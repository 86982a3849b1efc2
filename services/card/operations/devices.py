"""Devices of a holder: a card is bound to at most two, each with a credential and a place of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import InvalidInput, NotFound, Refused
from services.card import credentials
from services.card.credentials import Credential
from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import KeyWrong
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
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import BindDevice
    from services.card.operations.office import Office
    from services.card.store.rows import CardRow

OWN_MAX = 2
CREDENTIAL_SECONDS = 30 * 86_400


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
    await keys.refresh(tx, office.keys)
    try:
        device = profiles.public(office.keys.profile.alg, command.device_key)
    except KeyWrong:
        raise InvalidInput("DEVICE_KEY_INVALID", "no public key of the profile", field="device_key") from None
    if not credentials.binds(device, command.proof, ids.to_text("crd", card.card_id)):
        raise InvalidInput("DEVICE_KEY_INVALID", "the device did not sign with this key", field="proof")
    there = await bindings.devices(tx, card.card_id)
    before = next((one for one in there if one.device_key == command.device_key), None)
    if before is not None:
        await bindings.withdraw(tx, before.binding_id)
    elif sum(one.role == bindings.OWN for one in there) >= OWN_MAX:
        raise Refused("DEVICE_LIMIT_REACHED", "a card is bound to two devices at most")
    else:  # a new device, also the first: whoever took over an account gets nothing that moves money for a while
        card.level_two_from = tx.now + timedelta(hours=office.policy.cool_down_hours.on(tx.today).value)
    now = int(tx.now.timestamp())
    list_no, index = office.places.take()
    bound = Binding(
        binding_id=ids.new_id(),
        card_id=card.card_id,
        role=bindings.OWN,
        device_key=command.device_key,
        reference=office.tell(REFERENCE_BYTES),
        list_no=list_no,
        index=index,
        cred_exp=now + CREDENTIAL_SECONDS,
        is_live=True,
    )
    await bindings.add(tx, bound)
    tx.audit(
        "device_bound",
        person_id=card.person_id,
        detail={"card_id": ids.to_text("crd", card.card_id), "device_id": bindings.text(bound.binding_id)},
    )
    credential = Credential(
        reference=bound.reference,
        iat=now,
        exp=now + CREDENTIAL_SECONDS,
        device_key=command.device_key,
        list_no=list_no,
        index=index,
        level=life.usable_level(card, tx.now),
        masked_name=mask_short(holder_rows.name(tx, holder)),
        last4=holder_rows.id_no(tx, holder)[-4:],
    )
    return Bound(bound.binding_id, credentials.issue(credential, office.keys), CREDENTIAL_SECONDS)


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
