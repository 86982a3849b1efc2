"""Verifiers (验码机构): contracts, challenges, and what they saw offline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import NotFound, Unauthenticated
from services.card import cose
from services.card.crypto import profile as profiles
from services.card.domain.risks import Sign
from services.card.messages import facts
from services.card.operations import risks
from services.card.store import verifiers as store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.card.commands import Verify
    from services.card.operations.office import Office
    from services.card.store.verifiers import Check, Verifier

REQUEST_CONTEXT = "NT1/V"
REQUEST_SECONDS = 300  # how far the clocks of a signed request may differ
CHALLENGE_SECONDS, CHALLENGE_BYTES = 120, 8
KEPT_SECONDS = 3 * 86_400  # reports come within 24 hours; what came later than this is not compared


async def register(tx: Transaction, verifier: Verifier) -> Verifier:
    """Write a contract."""
    await store.save(tx, verifier)
    tx.audit("verifier_registered", detail={"client": verifier.client, "purposes": ",".join(verifier.purposes)})
    return verifier


async def suspend(tx: Transaction, client: str, *, is_active: bool) -> Verifier:
    """Suspend a verifier, or let it verify again.

    Raises:
        NotFound: VERIFIER_NOT_FOUND.
    """
    found = await store.get(tx, client)
    if found is None:
        raise NotFound("VERIFIER_NOT_FOUND", "no such verifier")
    changed = replace(found, is_active=is_active)
    await store.save(tx, changed)
    tx.audit("verifier_changed", detail={"client": client, "active": str(is_active).lower()})
    return changed


async def challenge(tx: Transaction, office: Office) -> bytes:
    """A challenge that the caller alone can have answered."""
    now = int(tx.now.timestamp())
    audience = office.tell(CHALLENGE_BYTES)
    await store.add_challenge(tx, audience, tx.principal.client, now + CHALLENGE_SECONDS, now)
    return audience


async def require_signed(tx: Transaction, command: Verify, verifier: Verifier) -> None:
    """A verifier with a key signs each request, once.

    Raises:
        Unauthenticated: SIGNATURE_INVALID: none, another's, or of another time.
        Refused: REQUEST_REPLAYED.
    """
    if verifier.alg is None or verifier.point is None:
        return
    now = int(tx.now.timestamp())
    signed = [
        REQUEST_CONTEXT,
        verifier.client,
        command.token,
        command.purpose,
        command.audience,
        command.signed_time,
        command.nonce,
    ]
    key = profiles.public(verifier.alg, verifier.point)
    is_timely = abs(command.signed_time - now) <= REQUEST_SECONDS
    if not is_timely or not key.verifies(command.signature, cose.write(signed)):
        raise Unauthenticated("SIGNATURE_INVALID", "the request is not signed by the verifier's key, now")
    await store.use_nonce(tx, verifier.client, command.nonce, now + 2 * REQUEST_SECONDS, now)


async def report(tx: Transaction, checks: Sequence[Check], office: Office) -> int:
    """Keep what a verifier saw offline; how many numbers another one saw too. Each is announced once."""
    expires = int(tx.now.timestamp()) + KEPT_SECONDS
    doubles = await store.report(tx, tx.principal.client, checks, expires)
    known = await store.cards_of(tx, [reference for reference, _ in doubles])
    for reference, nonce in doubles:
        if reference in known:
            card_id, person_id = known[reference]
            tx.emit(facts.double_use(card_id, person_id, tx.principal.client))
            tx.audit("card_used_twice", person_id=person_id, detail={"card_id": ids.to_text("crd", card_id)})
            await risks.note(tx, card_id, Sign.DOUBLE_USE, reference + nonce, office)
    return len(doubles)
