"""Verify a code (验码), in this order: form, key, signature, time, audience, card, one use, contract and purpose.

The first failure ends it. Form, key and signatures are looked at before there is a transaction (`opened`): bytes that
are not ours touch no row. A code that is not accepted is an answer, so that it is stored and audited like one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from kernel import ids
from services.card import credentials, tokens
from services.card.domain.family import DelegationState, may_show_for
from services.card.domain.lifecycle import CardState
from services.card.domain.risks import COUNTED, Sign
from services.card.domain.verification import Detail, standing, when
from services.card.domain.verification import Shown as Fields
from services.card.keyring import KeyState
from services.card.operations import family, holders, keys, life, risks
from services.card.operations import verifiers as contracts
from services.card.results import Verified
from services.card.store import bindings, cards, delegations, verifiers
from services.card.store import holders as holder_rows
from services.card.tokens import Token

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.card.commands import Verify
    from services.card.credentials import Presentation
    from services.card.domain.verification import Purpose
    from services.card.operations.office import Office
    from services.card.store.bindings import Binding
    from services.card.store.delegations import Delegation
    from services.card.store.rows import CardRow, HolderRow
    from services.card.store.verifiers import Verifier

    Shown = Token | Presentation

STAFF = "hrss"  # counter staff are one verifier
NOBODY = UUID(int=0)  # is looked for where there is nobody: an unknown card takes the same statements as a known one
_PHYSICAL = {"PHYSICAL_CANCELLED": Detail.REVOKED}
_FAMILY = {  # what ends or rests is not the ward's card, but the delegate can show it no more
    DelegationState.PENDING: Detail.REVOKED,
    DelegationState.SUSPENDED: Detail.SUSPENDED,
    DelegationState.ENDED: Detail.REVOKED,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A verification: what was shown, whose it is and who shows it, what for, and by which contract."""

    shown: Shown
    card: CardRow | None
    binding: Binding | None
    delegation: Delegation | None
    command: Verify
    contract: Verifier | None

    @property
    def flags(self) -> int:
        """What the code says of who shows it."""
        return self.shown.flags if isinstance(self.shown, Token) else self.shown.credential.flags

    @property
    def by_family(self) -> bool:
        """Whether a family member shows it."""
        return bool(self.flags & tokens.FLAG_FAMILY)


def opened(text: str, office: Office) -> Shown | Detail:
    """What a code of either kind says when everything signed in it is as it should be, else why not."""
    if text.startswith(credentials.PREFIX):
        return credentials.read(text, office.keys)
    return tokens.read(text, office.keys)


async def verify(tx: Transaction, shown: Shown, command: Verify, office: Office) -> Verified:
    """Accept a code of ours once, for a purpose that the verifier has.

    Raises:
        Unauthenticated: SIGNATURE_INVALID.
        Refused: REQUEST_REPLAYED.
    """
    await keys.refresh(tx, office.keys)
    contract = None if tx.principal.is_staff else await verifiers.get(tx, tx.principal.client)
    if contract is not None:
        await contracts.require_signed(tx, command, contract)
    asked = await _asked(tx, shown, command, contract)
    done = await _judge(tx, asked, office)
    if done.detail in COUNTED and asked.card is not None and asked.card.state is CardState.ACTIVE:
        await risks.note(tx, asked.card.card_id, Sign.REFUSED_CODES, _number(shown), office)
    card, delegation = asked.card, asked.delegation
    detail = {
        "card_id": ids.to_text("crd", card.card_id) if card is not None else "",
        "verifier": _verifier(tx),
        "purpose": command.purpose if command.purpose in office.policy.purposes.on(tx.today).value else "",
        "result": done.detail.value,
    }
    if delegation is not None:
        detail |= {
            "delegation_id": delegations.text(delegation.delegation_id),
            "shown_by": ids.to_text("per", delegation.delegate_id),
            "on_behalf_of": ids.to_text("per", delegation.ward_id),
        }
    tx.audit("card_verified", person_id=card.person_id if card is not None else None, detail=detail)
    return done


async def _asked(tx: Transaction, shown: Shown, command: Verify, contract: Verifier | None) -> _Asked:
    """The card that a code is of, the binding when a device made it, the family account when a delegate shows it."""
    card = binding = delegation = None
    if not isinstance(shown, Token):
        binding = await bindings.by_reference(tx, shown.credential.reference)
        card = await cards.get(tx, binding.card_id if binding is not None else NOBODY)
        if binding is not None and binding.delegation_id is not None:
            delegation = await delegations.get(tx, binding.delegation_id)
    elif shown.flags & tokens.FLAG_FAMILY:
        delegation = await delegations.by_reference(tx, shown.reference)
        card = await family.living(tx, delegation.ward_id if delegation is not None else NOBODY)
    else:
        card = await cards.by_reference(tx, shown.reference)
    return _Asked(shown, card, binding, delegation, command, contract)


async def _judge(tx: Transaction, asked: _Asked, office: Office) -> Verified:
    if (obstacle := await _obstacle(tx, asked, office)) is not Detail.OK or asked.card is None:
        return Verified(obstacle)
    if not await _burn(tx, asked.shown, office):
        return Verified(Detail.REPLAYED)
    if (allowed := await _allowed(tx, asked, office)) is not Detail.OK:
        return Verified(allowed)
    purpose = office.policy.purposes.on(tx.today).value[asked.command.purpose]
    holder = await holders.known(tx, asked.card.person_id)
    return Verified(
        Detail.OK,
        subject_ref=office.keys.subject_ref(_verifier(tx), ids.to_text("crd", asked.card.card_id)),
        level=life.usable_level(asked.card, tx.now),
        shown=purpose.shown,
        name=holder_rows.name(tx, holder) if Fields.NAME in purpose.shown else "",
        id_no=holder_rows.id_no(tx, holder) if Fields.LAST_FOUR in purpose.shown else "",
        by_family=asked.by_family,
        is_minor=bool(asked.flags & tokens.FLAG_MINOR),
    )


async def _obstacle(tx: Transaction, asked: _Asked, office: Office) -> Detail:
    """The first reason against a code before it is used up; its key may have been withdrawn meanwhile."""
    shown, card = asked.shown, asked.card
    signer = shown.signer if isinstance(shown, Token) else shown.credential.signer
    if office.keys.state(signer) is KeyState.WITHDRAWN:
        return Detail.KEY_WITHDRAWN
    if (timely := _timely(tx, shown, office)) is not Detail.OK:
        return timely
    if not await _is_for_me(tx, shown, asked.command):
        return Detail.WRONG_AUDIENCE
    holder = await holder_rows.get(tx, card.person_id if card is not None else NOBODY)
    if card is None or holder is None or not (isinstance(shown, Token) or _fits(asked.binding, shown)):
        return standing(None, None, tx.today)
    if asked.by_family and (ended := _FAMILY.get(family.stands(tx, asked.delegation, holder, office))):
        return ended
    return _standing(tx, card, holder, office)


def _timely(tx: Transaction, shown: Shown, office: Office) -> Detail:
    now, leeway = _second(tx), office.policy.leeway_seconds.on(tx.today).value
    if isinstance(shown, Token):
        return when(shown.iat, shown.ttl, now, leeway)
    timely = when(shown.ts, credentials.SHOWN_SECONDS, now, leeway)
    if timely is Detail.OK and shown.credential.iat > now + leeway:
        return Detail.CLOCK_WRONG
    return Detail.CARD_EXPIRED if timely is Detail.OK and now > shown.credential.exp else timely


async def _is_for_me(tx: Transaction, shown: Shown, command: Verify) -> bool:
    """Whether a code answers this verifier's challenge: the one it showed, when it says which; nobody's is fine too."""
    audience = b"" if isinstance(shown, Token) else shown.audience
    if command.audience and audience != command.audience:
        return False
    return not audience or await verifiers.is_mine(tx, audience, tx.principal.client, _second(tx))


def _fits(binding: Binding | None, shown: Presentation) -> bool:
    return binding is not None and binding.is_live and binding.device_key == shown.credential.device_key


async def _burn(tx: Transaction, shown: Shown, office: Office) -> bool:
    now, leeway = _second(tx), office.policy.leeway_seconds.on(tx.today).value
    if isinstance(shown, Token):
        return await cards.burn(tx, shown.number, shown.iat + shown.ttl + leeway, now)
    reference, expires = shown.credential.reference, now + contracts.KEPT_SECONDS
    return await verifiers.burn(tx, reference, shown.nonce, _verifier(tx), expires=expires, now=now)


async def _allowed(tx: Transaction, asked: _Asked, office: Office) -> Detail:
    """What the contract says; without one, production lets nobody verify, elsewhere the scope is enough."""
    contract, word = asked.contract, asked.command.purpose
    if contract is None and office.is_production and not tx.principal.is_staff:
        return Detail.VERIFIER_SUSPENDED
    if contract is not None and not contract.is_active:
        return Detail.VERIFIER_SUSPENDED
    purpose = office.policy.purposes.on(tx.today).value.get(word)
    level = life.usable_level(asked.card, tx.now) if asked.card is not None else 0
    if purpose is None or not _may(tx, purpose) or level < purpose.level:
        return Detail.PURPOSE_NOT_ALLOWED
    never_pays = not may_show_for(word, purpose.level, office.policy.level_two.on(tx.today).value)
    if (asked.by_family and never_pays) or (contract is not None and word not in contract.purposes):
        return Detail.PURPOSE_NOT_ALLOWED
    if contract is not None and not await verifiers.count(tx, contract.client, tx.today, contract.daily_quota):
        return Detail.RATE_LIMITED
    return Detail.OK


def _standing(tx: Transaction, card: CardRow, holder: HolderRow, office: Office) -> Detail:
    """What the card says, then what the physical card says: the feed may be ahead of what it causes."""
    detail = standing(card.state, card.valid_to, tx.today)
    if detail is Detail.OK and (cause := life.obstacle(tx, card, holder, office)):
        return _PHYSICAL.get(cause, Detail.SUSPENDED)
    return detail


def _number(shown: Shown) -> bytes:
    """What makes a code this one, whoever shows it."""
    return shown.number if isinstance(shown, Token) else shown.credential.reference + shown.nonce


def _second(tx: Transaction) -> int:
    return int(tx.now.timestamp())


def _verifier(tx: Transaction) -> str:
    return STAFF if tx.principal.is_staff else tx.principal.client


def _may(tx: Transaction, purpose: Purpose) -> bool:
    return tx.principal.is_staff or purpose.scope in tx.principal.scopes
