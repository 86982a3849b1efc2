"""Devices of delegates: each has a binding of its own, so that ending it never touches the ward's card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.errors import NotFound
from services.card.domain.family import Scope
from services.card.operations import devices, family, holders, life, showing
from services.card.operations.devices import Device
from services.card.store import bindings, cards, delegations

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import BindDelegateDevice
    from services.card.operations.office import Office
    from services.card.results import Bound, Minted


async def bind(tx: Transaction, command: BindDelegateDevice, office: Office) -> Bound:
    """Bind a device of the delegate to the ward's card, or renew its credential.

    The credential ends with the term of the family account, and the day before a child comes of age: a verifier
    that is offline then refuses it by itself.

    Raises:
        InvalidInput: DEVICE_KEY_INVALID.
        Refused: DEVICE_LIMIT_REACHED, CARD_NOT_ACTIVE, CARD_NOT_USABLE.
        As `family.acting`.
    """
    await family.load_for(tx, command.delegation_id)  # its end waits for this binding, and takes it along
    one, card = await family.acting(tx, command.delegation_id, Scope.SHOW_CODE, office)
    ward = await holders.known(tx, one.ward_id)
    showing.require_shown(tx, card, ward, office)
    await cards.get(tx, card.card_id, lock=True)
    text = delegations.text(one.delegation_id)
    await devices.require_key(tx, office, command.device_key, command.proof, text)
    mine = await bindings.of_delegation(tx, one.delegation_id)
    await devices.make_room(tx, mine, await bindings.devices(tx, card.card_id), command.device_key)
    years = office.policy.consent_age.on(tx.today).value
    device = Device(bindings.DELEGATE, command.device_key, one.delegation_id, family.last_day(one, ward, years))
    bound = await devices.bind_device(tx, device, card, ward, office)
    family.note(tx, "family_device_bound", one, device_id=bindings.text(bound.binding_id))
    return bound


async def unbind(tx: Transaction, delegation_id: UUID, binding_id: UUID) -> None:
    """End the binding of one device of the delegate; ward and delegate may.

    Raises:
        NotFound: FAMILY_NOT_FOUND, DEVICE_NOT_FOUND.
    """
    one = await family.load_for(tx, delegation_id)
    mine = {found.binding_id for found in await bindings.of_delegation(tx, one.delegation_id)}
    if binding_id not in mine or not await bindings.withdraw(tx, binding_id):
        raise NotFound("DEVICE_NOT_FOUND", "the family account has no such device")
    family.note(tx, "family_device_unbound", one, device_id=bindings.text(binding_id))


async def mint(tx: Transaction, delegation_id: UUID, office: Office) -> Minted:
    """A code of the ward's card for the delegate to show. It refers to the family account, and is over with it.

    Raises:
        Refused: CARD_NOT_ACTIVE, CARD_NOT_USABLE.
        As `family.acting`.
    """
    one, card = await family.acting(tx, delegation_id, Scope.SHOW_CODE, office)
    ward = await holders.known(tx, one.ward_id)
    showing.require_shown(tx, card, ward, office)
    family.note(tx, "family_code_minted", one)
    mark = devices.flags(tx, ward, office, by_family=True)
    return await showing.minted(tx, one.reference, life.usable_level(card, tx.now), mark, office)
