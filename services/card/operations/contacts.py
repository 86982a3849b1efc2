"""The telephone number of a holder: given, confirmed by a code that was sent to it, removed; and codes as a proof.

A number that was just set is no proof of anybody for a day, so that who takes an account over gains nothing by changing
it; and a message alone never proves enough (`operations.counter`). The number before a change is told of it.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import Busy, InvalidInput, NotFound
from services.card.domain.contact import CodePurpose, NoticeWord, SetBy
from services.card.domain.lifecycle import Actor
from services.card.operations import holders, life
from services.card.results import CodeSent, CodeTried
from services.card.store import contacts, texts
from services.card.store.contacts import Code, Contact

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import SetContact
    from services.card.operations.office import Office

CODE_DIGITS = 6
_DAY = timedelta(days=1)


async def show(tx: Transaction, person_id: UUID) -> Contact | None:
    """The number on record.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    await holders.known(tx, person_id)
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=person_id)
    return await contacts.get(tx, person_id)


async def give(tx: Transaction, command: SetContact, office: Office) -> CodeSent:
    """Send a code to a number that a holder gives; it counts when the code comes back.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED: the counter says what it saw.
        Busy: TEXT_CODES_LIMIT_REACHED.
    """
    tx.principal.require_person(command.person_id)
    await holders.locked(tx, command.person_id)
    is_own = tx.principal.person_id == command.person_id
    if not is_own and not command.evidence_ref:
        raise InvalidInput("EVIDENCE_REQUIRED", "the counter says what it saw", field="evidence_ref")
    by = SetBy.HOLDER if is_own else SetBy.COUNTER
    sent = await send_code(tx, command.person_id, command.phone, CodePurpose.CONTACT, by, office)
    detail = {"evidence_ref": command.evidence_ref} if command.evidence_ref else {}
    tx.audit("contact_given", person_id=command.person_id, detail=detail)
    return sent


async def confirm(tx: Transaction, code_id: UUID, code: str, office: Office) -> CodeTried:
    """Put a number on record whose code came back.

    Raises:
        NotFound: TEXT_CODE_NOT_FOUND: none, another's, used, or too late.
    """
    found, tried = await try_code(tx, code_id, code, CodePurpose.CONTACT, office)
    if not tried.is_right:
        return CodeTried(is_right=False, tries_left=tried.tries_left, contact=await contacts.get(tx, found.person_id))
    before = await contacts.get(tx, found.person_id)
    hours = office.policy.contact_cool_down_hours.on(tx.today).value
    now = Contact(found.person_id, found.phone, tx.now + timedelta(hours=hours), tx.today)
    actor = Actor.HOLDER if found.set_by is SetBy.HOLDER else Actor.COUNTER
    if before is not None and before.phone == found.phone:
        now = Contact(found.person_id, found.phone, before.factor_from, tx.today)
    elif before is not None:
        await texts.add(tx, found.person_id, NoticeWord.PHONE_SET, actor.value, phone=before.phone)
    await contacts.save(tx, now, found.set_by)
    life.tell(tx, found.person_id, None, NoticeWord.PHONE_SET, actor)
    tx.audit("contact_set", person_id=found.person_id, detail={"by": found.set_by.value})
    return CodeTried(is_right=True, tries_left=0, contact=now)


async def remove(tx: Transaction, person_id: UUID) -> None:
    """Take the number off the record; the number is told.

    Raises:
        NotFound: PERSON_NOT_FOUND, CONTACT_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    await holders.locked(tx, person_id)
    found = await contacts.get(tx, person_id)
    if found is None:
        raise no_number()
    actor = Actor.HOLDER if tx.principal.person_id == person_id else Actor.COUNTER
    await texts.add(tx, person_id, NoticeWord.PHONE_REMOVED, actor.value, phone=found.phone)
    await contacts.remove(tx, person_id)
    life.tell(tx, person_id, None, NoticeWord.PHONE_REMOVED, actor)
    tx.audit("contact_removed", person_id=person_id, detail={"by": actor.value})


async def send_code(  # noqa: PLR0917 - who, where, what for
    tx: Transaction, person_id: UUID, phone: str, purpose: CodePurpose, by: SetBy, office: Office
) -> CodeSent:
    """Write a code and the message that carries it; whoever calls this has locked the holder.

    Raises:
        Busy: TEXT_CODES_LIMIT_REACHED.
    """
    limit = office.policy.codes_per_day.on(tx.today).value
    if await contacts.codes_since(tx, person_id, tx.now - _DAY) >= limit:
        raise Busy("TEXT_CODES_LIMIT_REACHED", "codes were sent often today", retry_after=_DAY.total_seconds())
    seconds = office.policy.code_seconds.on(tx.today).value
    digits, code_id = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}", ids.new_id()
    expires = tx.now + timedelta(seconds=seconds)
    digest = _digest(office, code_id, digits)
    await contacts.add_code(tx, Code(code_id, person_id, purpose, phone, digest, by, 0, is_open=True, expires=expires))
    await texts.add(tx, person_id, NoticeWord.CODE, Actor.SYSTEM.value, phone=phone, code=digits)
    return CodeSent(code_id, phone, seconds)


async def try_code(
    tx: Transaction, code_id: UUID, code: str, purpose: CodePurpose, office: Office
) -> tuple[Code, CodeTried]:
    """Look whether a code is right. A wrong one is counted and answered, never refused: a refusal would undo the count.

    Raises:
        NotFound: TEXT_CODE_NOT_FOUND.
    """
    found = await contacts.lock_code(tx, code_id)
    if found is None or found.purpose is not purpose:
        raise _no_code()
    try:
        tx.principal.require_person(found.person_id)
    except NotFound:
        raise _no_code() from None
    if not found.is_open or tx.now >= found.expires:
        raise _no_code()
    if hmac.compare_digest(_digest(office, code_id, code), found.digest):
        await contacts.tried(tx, code_id, "USED", found.failures)
        return found, CodeTried(is_right=True, tries_left=0)
    failures = found.failures + 1
    left = max(0, office.policy.code_tries.on(tx.today).value - failures)
    await contacts.tried(tx, code_id, "OPEN" if left else "FAILED", failures)
    tx.audit("text_code_wrong", person_id=found.person_id, detail={"purpose": purpose.value})
    return found, CodeTried(is_right=False, tries_left=left)


def no_number() -> NotFound:
    """The holder has no number on record."""
    return NotFound("CONTACT_NOT_FOUND", "no telephone number is on record")


def _no_code() -> NotFound:
    return NotFound("TEXT_CODE_NOT_FOUND", "no such code waits")


def _digest(office: Office, code_id: UUID, digits: str) -> bytes:
    return office.keys.request_digest(code_id.bytes + digits.encode())
