"""Deaths: what ends with them, what waits for the heirs, and how a wrong one is taken back."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment import persons as rules
from services.enrollment.messages import facts as said
from services.enrollment.operations import cover_people, enrollments
from services.enrollment.operations.persons_history import standing
from services.enrollment.persons import Death, RecordDeath
from services.enrollment.register import EndReason
from services.enrollment.store import persons
from services.enrollment.store import persons_death as deaths


async def check(tx: Transaction, command: RecordDeath) -> Death | None:
    """Check a death against the locked record; the one that is recorded.

    Raises:
        NotFound: PERSON_NOT_FOUND, DEATH_NOT_RECORDED.
        Refused: PERSON_MERGED, DEATH_SAME.
        InvalidInput: DEATH_DATE_INVALID, VALUE_REQUIRED.
    """
    facts, _ = await standing(tx, command.person_id)
    known = await deaths.death(tx, command.person_id)
    if command.day is None:
        if known is None:
            raise _not_recorded()
        return known
    if command.source is None:
        raise InvalidInput("VALUE_REQUIRED", "a death names how it is known", field="source")
    rules.check_death(command.day, facts.birth_date, tx.today)
    if known is not None and known.day == command.day:
        raise Refused("DEATH_SAME", "this day is recorded already")
    return known


async def apply(tx: Transaction, command: RecordDeath) -> Sequence[Month]:
    """Let a checked death take effect; the months after it that are billed and have to be refunded."""
    known = await check(tx, command)
    await deaths.save_death(tx, command.person_id, command.day, command.source, command.evidence)
    billed: Sequence[Month] = []
    if command.day is None:
        await enrollments.revive(tx, command.person_id)
        await cover_people.revive(tx, command.person_id)
    else:
        month = Month.of(command.day)
        await enrollments.die(tx, command.person_id, month, is_corrected=known is not None)
        if known is not None:
            await cover_people.move_death(tx, command.person_id, month)
        await cover_people.end_all(tx, command.person_id, month, EndReason.DIED)
        billed = [Month.of(one) for one in await deaths.billed_after(tx, command.person_id, month.first_day)]
    tx.emit(said.person_died(command.person_id, command.day))
    detail = {"evidence": command.evidence, "corrected": str(known is not None), "billed_after": str(len(billed))}
    tx.audit("RecordDeath", person_id=command.person_id, detail=detail)
    return billed


async def death(tx: Transaction, person_id: UUID) -> tuple[Death, bool, Money]:
    """The recorded death, whether the account waits for the heirs, and its balance.

    Raises:
        NotFound: PERSON_NOT_FOUND, DEATH_NOT_RECORDED.
    """
    stands = await persons.forward(tx, person_id)
    if stands is None:
        raise person_not_found()
    known = await deaths.death(tx, stands)
    if known is None:
        raise _not_recorded()
    is_pending, balance = await deaths.inheritance(tx, stands)
    return known, is_pending, balance


def day_of(text: str | None) -> date | None:
    """A day in a stored request."""
    return date.fromisoformat(text) if text else None


def _not_recorded() -> NotFound:
    return NotFound("DEATH_NOT_RECORDED", "no death is recorded for this person")
