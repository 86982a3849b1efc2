"""Verify a code (验码), in this order: form, key, signature, time, card, one use, purpose.

The first failure ends it. Form, key and signature are looked at before there is a transaction (`tokens.read`): bytes
that are not ours touch no row. A code that is not accepted is an answer, so that it is stored and audited like one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from services.card.domain.verification import Detail, Shown, standing, when
from services.card.operations import holders, life
from services.card.results import Verified
from services.card.store import cards
from services.card.store import holders as holder_rows

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.card.domain.verification import Purpose
    from services.card.operations.office import Office
    from services.card.store.rows import CardRow, HolderRow
    from services.card.tokens import Token

STAFF = "hrss"  # counter staff are one verifier
_PHYSICAL = {"PHYSICAL_CANCELLED": Detail.REVOKED}


async def verify(tx: Transaction, token: Token, purpose: str, office: Office) -> Verified:
    """Accept a code of ours once, for a purpose that the verifier has."""
    card = await cards.by_reference(tx, token.reference)
    done = await _judge(tx, token, card, purpose, office)
    tx.audit(
        "card_verified",
        person_id=card.person_id if card is not None else None,
        detail={
            "card_id": ids.to_text("crd", card.card_id) if card is not None else "",
            "verifier": _verifier(tx),
            "purpose": purpose if purpose in office.policy.purposes.on(tx.today).value else "",
            "result": done.detail.value,
        },
    )
    return done


async def _judge(tx: Transaction, token: Token, card: CardRow | None, purpose: str, office: Office) -> Verified:
    now = int(tx.now.timestamp())
    leeway = office.policy.leeway_seconds.on(tx.today).value
    if (timely := when(token.iat, token.ttl, now, leeway)) is not Detail.OK:
        return Verified(timely)
    if card is None:
        return Verified(standing(None, None, tx.today))
    holder = await holders.known(tx, card.person_id)
    if (stands := _standing(tx, card, holder, office)) is not Detail.OK:
        return Verified(stands)
    if not await cards.burn(tx, token.number, token.iat + token.ttl + leeway, now):
        return Verified(Detail.REPLAYED)
    asked = office.policy.purposes.on(tx.today).value.get(purpose)
    if asked is None or not _may(tx, asked) or card.level < asked.level:
        return Verified(Detail.PURPOSE_NOT_ALLOWED)
    return Verified(
        Detail.OK,
        subject_ref=office.keys.subject_ref(_verifier(tx), ids.to_text("crd", card.card_id)),
        level=card.level,
        shown=asked.shown,
        name=holder_rows.name(tx, holder) if Shown.NAME in asked.shown else "",
        id_no=holder_rows.id_no(tx, holder) if Shown.LAST_FOUR in asked.shown else "",
    )


def _standing(tx: Transaction, card: CardRow, holder: HolderRow, office: Office) -> Detail:
    """What the card says, then what the physical card says: the feed may be ahead of what it causes."""
    detail = standing(card.state, card.valid_to, tx.today)
    if detail is Detail.OK and (cause := life.obstacle(tx, card, holder, office)):
        return _PHYSICAL.get(cause, Detail.SUSPENDED)
    return detail


def _verifier(tx: Transaction) -> str:
    return STAFF if tx.principal.is_staff else tx.principal.client


def _may(tx: Transaction, purpose: Purpose) -> bool:
    return tx.principal.is_staff or purpose.scope in tx.principal.scopes
