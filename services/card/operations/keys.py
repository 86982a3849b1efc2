"""Signing keys: registered at start, rotated by two persons, withdrawn at once; and the trust list that says so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.card import trust
from services.card.domain.verification import Detail
from services.card.keyring import KeyState, KeysWrong, Purpose, SigningKey
from services.card.providers import ONLINE
from services.card.store import keys as store
from services.card.trust import LIFE_SECONDS, TrustList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.card.keyring import KeyRing
    from services.card.operations.office import Office

PUBLISHED_BEFORE = timedelta(days=7)  # a verifier that was offline for the life of a trust list knows the key by then
RENEW_SECONDS = LIFE_SECONDS // 2
STEPS: dict[KeyState, frozenset[KeyState]] = {
    KeyState.PLANNED: frozenset({KeyState.PUBLISHED, KeyState.WITHDRAWN}),
    KeyState.PUBLISHED: frozenset({KeyState.ACTIVE, KeyState.WITHDRAWN}),
    KeyState.ACTIVE: frozenset({KeyState.VERIFY_ONLY, KeyState.WITHDRAWN}),
    KeyState.VERIFY_ONLY: frozenset({KeyState.WITHDRAWN}),
    KeyState.WITHDRAWN: frozenset(),
}


async def refresh(tx: Transaction, ring: KeyRing) -> None:
    """Learn of every change that was committed; before the first registration the provider's own view counts."""
    version = await store.version(tx)
    if version and version != ring.version:
        ring.learn(await store.load(tx), version)


async def register(tx: Transaction, ring: KeyRing) -> None:
    """Register the keys that the provider holds and nobody knows; the first of a purpose is active at once."""
    await store.version(tx, lock=True)
    known = await store.load(tx)
    labels = {key.label for key in known}
    taken = {(key.purpose, key.public.alg) for key in known if key.state is KeyState.ACTIVE}
    fresh = []
    for one in reversed(ring.provider.held()):
        if one.label not in labels and one.purpose in ONLINE:
            place = (one.purpose, one.public.alg)
            fresh.append((one, KeyState.PLANNED if place in taken else KeyState.ACTIVE))
            taken.add(place)
    if await store.add(tx, fresh, tx.principal.subject):
        await store.changed(tx)
        tx.audit("card_keys_registered", detail={"count": str(len(fresh))})
    await refresh(tx, ring)


async def listed(tx: Transaction, office: Office) -> Sequence[SigningKey]:
    """All keys."""
    await refresh(tx, office.keys)
    return office.keys.keys


async def generate(tx: Transaction, purpose: str, office: Office) -> SigningKey:
    """Make a key of the profile for a purpose.

    Raises:
        InvalidInput: KEY_PURPOSE_INVALID.
        Forbidden: NATURAL_PERSON_REQUIRED.
        Refused: KEY_NOT_MADE: the file is not to be written, or the module has no such key.
    """
    if purpose not in {one.value for one in ONLINE}:
        raise InvalidInput("KEY_PURPOSE_INVALID", "no purpose of a key that is made here", field="purpose")
    maker = tx.principal.acting_person
    await store.version(tx, lock=True)
    try:
        held = office.keys.provider.generate(Purpose(purpose), office.keys.profile)
    except KeysWrong:
        raise Refused("KEY_NOT_MADE", "the provider of keys makes none here") from None
    await store.add(tx, [(held, KeyState.PLANNED)], maker)
    await store.changed(tx)
    tx.audit("card_key_made", detail={"key_id": held.label, "purpose": purpose})
    return SigningKey(held.purpose, held.label, held.public, KeyState.PLANNED)


async def change(tx: Transaction, label: str, state: str) -> SigningKey:
    """Let a key stand elsewhere. Activating one lets the active one only verify from then on.

    A key that replaces one that was withdrawn need not wait its seven days: without it no code would be good at all.

    Raises:
        NotFound: KEY_NOT_FOUND.
        Refused: KEY_STEP_REFUSED, KEY_TOO_YOUNG.
        Forbidden: NATURAL_PERSON_REQUIRED, SECOND_PERSON_REQUIRED.
    """
    checker = tx.principal.acting_person
    await store.version(tx, lock=True)
    keys = await store.load(tx)
    key = next((one for one in keys if one.label == label), None)
    made = await store.history(tx, label)
    if key is None or made is None:
        raise NotFound("KEY_NOT_FOUND", "no such key")
    to = next((one for one in KeyState if one.value == state), None)
    if to is None or to not in STEPS[key.state]:
        raise Refused("KEY_STEP_REFUSED", "a key does not go there from where it stands", state=key.state.value)
    if to is KeyState.ACTIVE:
        same = [one for one in keys if (one.purpose, one.public.alg) == (key.purpose, key.public.alg)]
        before = [one for one in same if one.state is KeyState.ACTIVE]
        if made[0] == checker:
            raise Forbidden("SECOND_PERSON_REQUIRED", "another person puts a key into use than made it")
        if before and tx.now < made[1] + PUBLISHED_BEFORE:
            raise Refused("KEY_TOO_YOUNG", "a key is published seven days before its first use")
        for one in before:
            await store.set_state(tx, one.label, KeyState.VERIFY_ONLY)
    await store.set_state(tx, label, to)
    await store.changed(tx)
    tx.audit("card_key_changed", detail={"key_id": label, "from": key.state.value, "to": to.value})
    return SigningKey(key.purpose, label, key.public, to)


async def draft(tx: Transaction, office: Office) -> TrustList:
    """The next trust list, for the root to sign."""
    last = await store.trust_list(tx)
    now = int(tx.now.timestamp())
    await refresh(tx, office.keys)
    keys = trust.listed(await store.load(tx) or office.keys.keys)
    return TrustList((last[0] if last else 0) + 1, now, now + LIFE_SECONDS, keys)


async def publish(tx: Transaction, body: bytes, office: Office) -> int:
    """Publish a trust list that the root signed; its sequence.

    Raises:
        Refused: TRUST_LIST_INVALID: not the root's, not of the keys as they stand, not the next one, or over.
    """
    await store.version(tx, lock=True)
    said = trust.read(body, office.root) if office.root is not None else Detail.UNKNOWN_KEY
    expected = await draft(tx, office)
    now = int(tx.now.timestamp())
    if isinstance(said, Detail) or (said.sequence, said.keys) != (expected.sequence, expected.keys):
        raise Refused("TRUST_LIST_INVALID", "the root did not sign the next list of today's keys")
    if not said.iat <= now + 30 or not now < said.exp <= said.iat + LIFE_SECONDS:
        raise Refused("TRUST_LIST_INVALID", "a trust list is good for seven days from now on")
    if not await store.add_trust_list(tx, said.sequence, body, said.iat, said.exp):
        raise Refused("TRUST_LIST_INVALID", "there is a list of this sequence")
    tx.audit("card_trust_list_published", detail={"sequence": str(said.sequence)})
    return said.sequence


async def renew(tx: Transaction, office: Office) -> None:
    """Where the root lies in a file (development), sign a new list when the keys changed or half its life is over."""
    if office.root is None or not office.signs_trust:
        return
    await store.version(tx, lock=True)
    last = await store.trust_list(tx)
    new = await draft(tx, office)
    if last is not None and last[2] - new.iat > RENEW_SECONDS:
        said = trust.read(last[1], office.root)
        if isinstance(said, TrustList) and said.keys == new.keys:
            return
    await store.add_trust_list(tx, new.sequence, trust.sign(new, office.root), new.iat, new.exp)


async def trust_list(tx: Transaction) -> tuple[int, bytes]:
    """The last trust list.

    Raises:
        NotFound: TRUST_LIST_NOT_FOUND.
    """
    last = await store.trust_list(tx)
    if last is None:
        raise NotFound("TRUST_LIST_NOT_FOUND", "no trust list was published")
    return last[0], last[1]
