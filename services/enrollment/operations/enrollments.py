"""Enrolments: beginning, end, wages. The hot path is two round trips to the database besides those of the chassis."""

from dataclasses import replace
from uuid import UUID

from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict, NotFound, Refused
from services.enrollment import register
from services.enrollment.billing import EMPLOYEE_SCHEMES
from services.enrollment.commands import DeclareWage, EndEnrollment, EnrollPerson
from services.enrollment.cover import CoverKind
from services.enrollment.messages import facts
from services.enrollment.operations import cover_people
from services.enrollment.operations.office import Office
from services.enrollment.register import (
    Action,
    EndReason,
    Enrollment,
    Participation,
    Person,
    State,
    Wage,
    enrollment_not_found,
)
from services.enrollment.store import accounts, cover, employments, people, persons
from services.enrollment.store import persons_death as deaths

# A race for the same new person is lost once: the second look finds who won it.
LOOKS = 3


async def enroll_person(tx: Transaction, command: EnrollPerson, office: Office) -> tuple[Enrollment, bool]:
    """Enrol a person with an employer (增员); whether the person was new is the second part of the answer.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        InvalidInput: POST_REQUIRED.
        Refused: START_MONTH_OUT_OF_WINDOW, EMPLOYER_DEREGISTERED, ID_NO_REPLACED, NAME_MISMATCH, PERSON_DIED,
            PERSON_RETIRED.
        AlreadyExists: ALREADY_ENROLLED with the first month of the employment in the way.
        Conflict: CONCURRENT_CHANGE.
    """
    tx.principal.require_employer(command.employer_id)
    assert command.identity.birth is not None  # a number that passed its check has a day of birth
    register.check_start_month(command.start_month, tx.today, command.identity.birth)
    for _ in range(LOOKS):
        desk = await employments.look_up(tx, command.employer_id, command.identity.number)
        if desk is None:
            raise employer_not_found()
        if desk.is_closed:
            raise Refused("EMPLOYER_DEREGISTERED", "the employer is deregistered")
        if desk.is_replaced:
            raise Refused("ID_NO_REPLACED", "the number was replaced by another one", field="id_no")
        new = new_person(command) if desk.person_id is None else None
        check_person(command, desk)
        enrollment = draft(command, desk.person_id or (new.person_id if new else ids.new_id()))
        if await employments.add(tx, enrollment, command.wage, new=new, phone=command.phone):
            break
    else:
        raise Conflict("CONCURRENT_CHANGE", "others are enrolling the same person", retry_after=0.2)
    # Looked for only now: the person is locked, and what was committed while this waited is seen.
    if new is None and await cover.with_open_cover(tx, [enrollment.person_id]):
        await cover_people.end_by_work(tx, enrollment.person_id, command.start_month)
    if new is not None:
        tx.emit(facts.person_registered(new, office.exchange), is_first=True)
    for one in enrollment.participations:
        tx.emit(facts.participation_started(one, desk.employer_division), is_first=True)
    tx.audit("EnrollPerson", person_id=enrollment.person_id, detail=_detail(enrollment))
    return enrollment, new is not None


async def end_enrollment(tx: Transaction, command: EndEnrollment) -> Enrollment:
    """End an enrolment (减员) and its participations.

    Raises:
        NotFound: ENROLLMENT_NOT_FOUND.
        Refused: ENROLLMENT_ENDED.
        InvalidInput: END_MONTH_INVALID with the months allowed.
    """
    enrollment = await _for_change(tx, command.enrollment_id)
    billed = await employments.last_billed(tx, enrollment.enrollment_id)
    register.check_end_month(enrollment, command.end_month, today=tx.today, last_billed=billed)
    return await _end(tx, enrollment, command.end_month, command.reason)


async def declare_wage(tx: Transaction, command: DeclareWage) -> Enrollment:
    """Declare the wage from a month on (基数申报).

    Raises:
        NotFound: ENROLLMENT_NOT_FOUND.
        Refused: ENROLLMENT_ENDED, MONTH_NOT_INSURED, MONTH_ALREADY_BILLED.
    """
    enrollment = await _for_change(tx, command.enrollment_id)
    if command.from_month < enrollment.start_month:
        raise Refused(
            "MONTH_NOT_INSURED",
            "the enrolment begins later",
            field="from_month",
            since=str(enrollment.start_month),
        )
    billed = await employments.last_billed(tx, enrollment.enrollment_id)
    if billed is not None and command.from_month <= billed:
        raise Refused("MONTH_ALREADY_BILLED", "the month is billed", field="from_month", billed=str(billed))
    wage = Wage(command.from_month, command.wage)
    await employments.declare(tx, enrollment.enrollment_id, wage)
    tx.audit("DeclareWage", person_id=enrollment.person_id, detail=_detail(enrollment))
    others = [one for one in enrollment.wages if one.from_month != wage.from_month]
    return replace(enrollment, wages=sorted([wage, *others], key=lambda one: one.from_month, reverse=True))


async def retire(tx: Transaction, person_id: UUID, month: Month) -> None:
    """A pension starts: the open participations end with the month of retirement, and no new ones begin.

    A pension under the id of a record that went up in another is the survivor's.
    """
    person_id = await _standing(tx, person_id)
    await people.retire(tx, person_id, month)
    enrollment = await employments.open_enrollment(tx, person_id)
    if enrollment is not None:  # one who was enrolled after the month of retirement leaves with the first month
        await _end(tx, enrollment, max(month, enrollment.start_month), EndReason.RETIRED)
    await cover_people.end_all(tx, person_id, month, EndReason.RETIRED)


async def die(tx: Transaction, person_id: UUID, month: Month, *, is_corrected: bool) -> None:
    """A person died: the open enrolment ends with the month of death; of a corrected death those it ended move."""
    if is_corrected:
        ended = await employments.ended_for(tx, person_id, EndReason.DIED)
        for one in ended:
            last = max(month, one.start_month)
            if one.end_month != last:
                await _end(tx, one, last, EndReason.DIED, is_open=False)
    enrollment = await employments.open_enrollment(tx, person_id)
    if enrollment is not None:
        await _end(tx, enrollment, max(month, enrollment.start_month), EndReason.DIED)


async def unretire(tx: Transaction, person_id: UUID) -> None:
    """A pension was revoked: it never was, and what it ended goes on (撤销核定后恢复参保)."""
    person_id = await _standing(tx, person_id)
    await people.unretire(tx, person_id)
    if await deaths.death(tx, person_id) is None:  # what the death of the person would have ended stays ended
        await revive(tx, person_id, EndReason.RETIRED)
        await cover_people.revive(tx, person_id, EndReason.RETIRED)


async def retire_resident(tx: Transaction, person_id: UUID, month: Month) -> None:
    """A resident pension starts: the cover as a resident ends with the month before; work goes on (decision 0245)."""
    person_id = await _standing(tx, person_id)
    await cover_people.end_all(tx, person_id, month, EndReason.RETIRED, CoverKind.RESIDENT)


async def unretire_resident(tx: Transaction, person_id: UUID) -> None:
    """A resident pension was revoked: the cover that it ended goes on."""
    person_id = await _standing(tx, person_id)
    if await deaths.death(tx, person_id) is None:
        await cover_people.revive(tx, person_id, EndReason.RETIRED, CoverKind.RESIDENT)


async def revive(tx: Transaction, person_id: UUID, reason: EndReason = EndReason.DIED) -> None:
    """Nobody died, or retired: what it ended goes on, unless the person is enrolled elsewhere by now."""
    if await employments.open_enrollment(tx, person_id) is not None:
        return
    ended = await employments.ended_for(tx, person_id, reason)
    if not ended:
        return
    enrollment = max(ended, key=lambda one: one.start_month)
    division = await employments.reopen(tx, enrollment.enrollment_id)
    for one in enrollment.participations:
        tx.emit(facts.participation_started(one, division))
    tx.audit("ReopenEnrollment", person_id=person_id, detail=_detail(enrollment))


async def enrollment(tx: Transaction, enrollment_id: UUID) -> Enrollment:
    """Show an enrolment to the person, the employer's agents, staff and partners.

    Raises:
        NotFound: ENROLLMENT_NOT_FOUND.
    """
    found = await employments.load(tx, enrollment_id)
    if found is None:
        raise enrollment_not_found()
    try:
        tx.principal.require_related(person_id=found.person_id, employer_id=found.employer_id)
    except NotFound:
        raise enrollment_not_found() from None
    return found


async def _standing(tx: Transaction, person_id: UUID) -> UUID:
    """The record that stands for a person, locked."""
    stands = await persons.forward(tx, person_id)
    if stands is None or not await people.lock(tx, [stands]):
        raise NotFound("PERSON_NOT_FOUND", "no such person")
    return stands


async def _for_change(tx: Transaction, enrollment_id: UUID) -> Enrollment:
    found = await employments.load_for_change(tx, enrollment_id)
    if found is None:
        raise enrollment_not_found()
    try:
        tx.principal.require_employer(found.employer_id)
    except NotFound:
        raise enrollment_not_found() from None
    if found.end_month is not None:
        raise Refused("ENROLLMENT_ENDED", "the enrolment has ended", until=str(found.end_month))
    return found


async def _end(
    tx: Transaction, enrollment: Enrollment, month: Month, reason: EndReason, *, is_open: bool = True
) -> Enrollment:
    ended = [
        replace(
            one,
            state=register.transition(one.state, Action.END) if is_open else State.ENDED,
            end_month=month,
            end_reason=reason,
        )
        for one in enrollment.participations
    ]
    await employments.end(tx, enrollment.enrollment_id, month, reason)
    known = await accounts.contributions_version(tx, enrollment.person_id)
    for one in ended:
        tx.emit(facts.participation_ended(one, month, reason, contributions_version=known))
    tx.audit("EndEnrollment", person_id=enrollment.person_id, detail={**_detail(enrollment), "reason": reason})
    return replace(enrollment, end_month=month, end_reason=reason, participations=ended)


def check_person(command: EnrollPerson, desk: employments.Desk) -> None:
    """Whether a known person may be enrolled; the answer tells nothing of the stored name.

    Raises:
        Refused: NAME_MISMATCH, PERSON_DIED, PERSON_RETIRED.
        AlreadyExists: ALREADY_ENROLLED with the months of the employment in the way.
    """
    if desk.person_id is None:
        return
    if desk.name != command.name:
        raise Refused("NAME_MISMATCH", "name and number do not belong together", field="name")
    if desk.is_dead:
        raise Refused("PERSON_DIED", "the death of the person is recorded", source=("SIL",))
    if desk.is_retired:
        raise Refused("PERSON_RETIRED", "the person draws a pension", source=("SIL",))
    register.check_free(command.start_month, desk.last)


def new_person(command: EnrollPerson) -> Person:
    """The person that a command registers, with an id of their own."""
    identity = command.identity
    assert identity.birth is not None
    assert identity.sex is not None
    return Person(
        person_id=ids.new_id(),
        name=command.name,
        id_no=identity.number,
        birth_date=identity.birth,
        sex=identity.sex,
        division=identity.division,
    )


def draft(command: EnrollPerson, person_id: UUID) -> Enrollment:
    """The enrolment that a command asks for: one employment, every scheme of an employee, the first wage."""
    assert command.identity.sex is not None
    track = register.track_of(command.identity.sex, command.post)
    return Enrollment(
        enrollment_id=ids.new_id(),
        person_id=person_id,
        employer_id=command.employer_id,
        post=command.post,
        track=track,
        start_month=command.start_month,
        wages=(Wage(command.start_month, command.wage),),
        participations=tuple(
            Participation(
                participation_id=ids.new_id(),
                person_id=person_id,
                employer_id=command.employer_id,
                scheme=scheme,
                state=State.ACTIVE,
                start_month=command.start_month,
                end_month=None,
                end_reason=None,
                track=track,
            )
            for scheme in EMPLOYEE_SCHEMES
        ),
    )


def _detail(enrollment: Enrollment) -> dict[str, str]:
    return {"enrollment_id": ids.to_text("enr", enrollment.enrollment_id)}
