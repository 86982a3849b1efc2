"""A person's record through time: changes, corrections, and what was known when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

import asyncpg

from chassis.database import violated
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel.calendar import SHANGHAI
from kernel.errors import AlreadyExists, InvalidInput, Refused
from kernel.identity import DocumentKind, check_document, document_kind
from services.enrollment import persons as rules
from services.enrollment.messages import facts as said
from services.enrollment.operations.office import Office
from services.enrollment.persons import IDENTITY, Cause, ChangePerson, Facts, Segment, Version
from services.enrollment.register import Person
from services.enrollment.store import persons


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """What a change will do: the record as it is, its versions, and its segments afterwards."""

    before: Facts
    known: Sequence[Version]
    segments: Sequence[Segment]

    @property
    def after(self) -> Facts:
        """What is true at the end."""
        return self.segments[-1].facts


async def history(
    tx: Transaction, person_id: UUID, *, as_of: date | None, known_at: date | None
) -> tuple[UUID, Sequence[Version]]:
    """What the register said of a person, with the id it answers for: the survivor's, when records were merged.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    stands = await persons.forward(tx, person_id)
    if stands is None:
        raise person_not_found()
    moment = datetime.combine(known_at + timedelta(days=1), time(), SHANGHAI) if known_at else None
    return stands, rules.visible(await persons.versions(tx, stands), as_of, moment)


async def plan(tx: Transaction, command: ChangePerson, office: Office) -> Plan:
    """Check a change against the locked record; what it will do.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: PERSON_MERGED, PERSON_DIED (a change after death; corrections are possible), ID_NO_DIFFERS.
        InvalidInput: ID_NO_INVALID, CHANGE_DATE_INVALID, VALUE_REQUIRED.
        AlreadyExists: ID_NO_TAKEN.
    """
    before, died_on = await standing(tx, command.person_id)
    if died_on is not None and command.cause is Cause.CHANGE:
        raise Refused("PERSON_DIED", "the person died; only corrections are possible", day=died_on.isoformat())
    values = _complete(command.values, before, tx.today, office)
    known = await persons.versions(tx, command.person_id)
    current = sorted((one.segment for one in known if one.superseded is None), key=lambda one: one.valid_from)
    segments = rules.changed(current, values, command.cause, command.day, tx.today)
    if list(segments) == current:
        raise InvalidInput("VALUE_REQUIRED", "nothing is different from what is recorded")
    numbers = {one.facts.id_no for one in segments} - {one.facts.id_no for one in current}
    for number in sorted(numbers):
        if await persons.is_taken(tx, number, command.person_id):
            raise AlreadyExists("ID_NO_TAKEN", "the number belongs to another record", field="id_no")
    return Plan(before, known, segments)


async def apply(tx: Transaction, command: ChangePerson, office: Office) -> None:
    """Let a checked change take effect, and say so."""
    made = await plan(tx, command, office)
    await persons.rewrite(
        tx, command.person_id, made.known, made.segments, cause=command.cause, evidence=command.evidence
    )
    if made.after != made.before:
        try:
            async with tx.savepoint():
                await persons.save(tx, command.person_id, made.after)
        except asyncpg.UniqueViolationError as error:
            if violated(error) != "person_id_no_index_key":
                raise
            raise AlreadyExists("ID_NO_TAKEN", "the number belongs to another record", field="id_no") from None
    if made.after.id_no != made.before.id_no and command.cause is Cause.CHANGE:
        await persons.keep_former(tx, made.before.id_no, command.person_id)
    if replace(made.after, phone="") != replace(made.before, phone=""):
        tx.emit(said.person_changed(_person(command.person_id, made.after), office.exchange))
    detail = {"cause": command.cause.value, "fields": " ".join(sorted(command.values)), "evidence": command.evidence}
    tx.audit("ChangePerson", person_id=command.person_id, detail=detail)


async def standing(tx: Transaction, person_id: UUID) -> tuple[Facts, date | None]:
    """A record that stands by itself, locked, with the day of death.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: PERSON_MERGED.
    """
    found = await persons.lock(tx, person_id)
    if found is None:
        raise person_not_found()
    if await persons.merged_into(tx, person_id) is not None:
        raise Refused("PERSON_MERGED", "the record went up in another one; change that")
    return found[0], found[1]


def _complete(values: Mapping[str, str | date], before: Facts, today: date, office: Office) -> Mapping[str, str | date]:
    """The values with what a number says of its holder; they have to agree."""
    if not IDENTITY & values.keys() - {"name"}:
        return values
    facts = replace(before, **values)  # type: ignore[arg-type]  # typed where they were read
    identity = check_document(
        facts.id_no, today, allow_test_region=not office.is_production, birth=facts.birth_date, sex=facts.sex
    )
    if not identity.valid:
        raise InvalidInput("ID_NO_INVALID", "the identity number is not valid", field="id_no", cause=identity.reason)
    assert identity.birth is not None
    assert identity.sex is not None
    said_by_number = {"birth_date": identity.birth, "sex": identity.sex}
    if any(name in values and values[name] != value for name, value in said_by_number.items()):
        raise Refused("ID_NO_DIFFERS", "birth and sex have to be those of the number", field="birth_date")
    if "id_no" not in values:
        return values
    own = said_by_number if document_kind(identity.number) is not DocumentKind.FOREIGN_2017 else {}
    return {**values, **own, "id_no": identity.number}


def _person(person_id: UUID, facts: Facts) -> Person:
    return Person(
        person_id=person_id,
        name=facts.name,
        id_no=facts.id_no,
        birth_date=facts.birth_date,
        sex=facts.sex,
        division=facts.division,
    )
