"""Covers without an employment: flexible workers and residents come, change, rest and leave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict, NotFound, Refused
from kernel.identity import ResidentIdCheck
from services.enrollment import cover as rules
from services.enrollment import register
from services.enrollment.commands import (
    ChangeBase,
    EndCover,
    EnrollFlexible,
    EnrollResident,
    NewPerson,
    Resume,
    Suspend,
)
from services.enrollment.cover import COVER_SCHEMES, Cover, CoverKind, cover_not_found
from services.enrollment.messages import facts
from services.enrollment.operations.office import Office
from services.enrollment.register import Action, EndReason, Participation, Person, State, Wage
from services.enrollment.store import accounts, cover, cover_bills

LOOKS = 3  # a race for the same new person is lost once


@dataclass(frozen=True, slots=True)
class Insured:
    """The person who comes, locked, and whether they were new."""

    person_id: UUID
    is_new: bool


async def person_for(tx: Transaction, one: NewPerson, office: Office) -> Insured:
    """The person with a name and a number, locked; registered when the number is new.

    Raises:
        Refused: NAME_MISMATCH, PERSON_DIED, PERSON_RETIRED, ID_NO_REPLACED.
        Conflict: CONCURRENT_CHANGE.
    """
    for _ in range(LOOKS):
        known = await cover.look_up(tx, one.identity.number)
        if known is not None:
            if known.name != one.name:
                raise Refused("NAME_MISMATCH", "name and number do not belong together", field="name")
            if known.is_dead:
                raise Refused("PERSON_DIED", "the death of the person is recorded", source=("SIL",))
            if known.is_retired:
                raise Refused("PERSON_RETIRED", "the person draws a pension", source=("SIL",))
            return Insured(known.person_id, is_new=False)
        if await cover.is_replaced(tx, one.identity.number):
            raise Refused("ID_NO_REPLACED", "the number was replaced by another one", field="id_no")
        person = _person(one.name, one.identity)
        if await cover.add_person(tx, person, one.phone):
            tx.emit(facts.person_registered(person, office.exchange), is_first=True)
            return Insured(person.person_id, is_new=True)
    raise Conflict("CONCURRENT_CHANGE", "others are registering the same person", retry_after=0.2)


async def enroll_flexible(tx: Transaction, command: EnrollFlexible, office: Office) -> tuple[Cover, bool]:
    """Enrol a flexible worker (灵活就业人员参保); whether the person was new is the second part of the answer.

    Raises:
        Refused: NAME_MISMATCH, PERSON_RETIRED, START_MONTH_OUT_OF_WINDOW, BASE_OUT_OF_RANGE, POLICY_PARAMETER_MISSING.
        AlreadyExists: ALREADY_ENROLLED, ALREADY_COVERED.
        InvalidInput: POST_REQUIRED.
    """
    rules.check_start(CoverKind.FLEXIBLE, command.start_month, tx.today)
    rules.check_base(command.base, office.policy.contributions.limits.on(command.start_month.first_day))
    assert command.person.identity.sex is not None
    track = register.track_of(command.person.identity.sex, command.post)
    insured = await person_for(tx, command.person, office)
    made = Cover(
        cover_id=ids.new_id(),
        person_id=insured.person_id,
        participation_id=ids.new_id(),
        kind=CoverKind.FLEXIBLE,
        division=command.division,
        track=track,
        start_month=command.start_month,
        bases=(Wage(command.start_month, command.base),),
    )
    return await _add(tx, made), insured.is_new


async def enroll_resident(tx: Transaction, command: EnrollResident, office: Office) -> tuple[Cover, bool]:
    """Enrol a resident (城乡居民参保); whether the person was new is the second part of the answer.

    Raises:
        Refused: NAME_MISMATCH, PERSON_RETIRED, START_MONTH_OUT_OF_WINDOW, RESIDENT_TOO_YOUNG, RESIDENT_IS_STUDENT.
        AlreadyExists: ALREADY_ENROLLED, ALREADY_COVERED.
    """
    rules.check_start(CoverKind.RESIDENT, command.start_month, tx.today)
    birth = command.person.identity.birth
    assert birth is not None
    min_age = office.policy.resident_min_age.on(command.start_month.first_day)
    rules.check_resident(birth, command.start_month, min_age, is_student=command.is_student)
    insured = await person_for(tx, command.person, office)
    made = Cover(
        cover_id=ids.new_id(),
        person_id=insured.person_id,
        participation_id=ids.new_id(),
        kind=CoverKind.RESIDENT,
        division=command.division,
        track=None,
        start_month=command.start_month,
    )
    # Who pays as a flexible worker is in the employee scheme, and no resident.
    rules.check_not_employed(await cover.covered(tx, insured.person_id, CoverKind.FLEXIBLE, command.start_month))
    return await _add(tx, made), insured.is_new


async def change_base(tx: Transaction, command: ChangeBase, office: Office) -> Cover:
    """Change the chosen base of a flexible worker from a month on.

    Raises:
        NotFound: COVER_NOT_FOUND.
        Refused: COVER_ENDED, COVER_KIND_WRONG, MONTH_NOT_INSURED, MONTH_ALREADY_BILLED, BASE_OUT_OF_RANGE.
    """
    found = await for_change(tx, command.cover_id)
    rules.check_kind(found, CoverKind.FLEXIBLE)
    rules.check_open(found)
    if command.from_month < found.start_month:
        raise Refused("MONTH_NOT_INSURED", "the cover begins later", field="from_month", since=str(found.start_month))
    billed = await cover.last_billed(tx, found.cover_id)
    if billed is not None and command.from_month <= billed:
        raise Refused("MONTH_ALREADY_BILLED", "the month is billed", field="from_month", billed=str(billed))
    rules.check_base(command.base, office.policy.contributions.limits.on(command.from_month.first_day))
    await cover.declare_base(tx, found.cover_id, Wage(command.from_month, command.base))
    tx.audit("ChangeCoverBase", person_id=found.person_id, detail=detail(found))
    return await _again(tx, found)


async def suspend_cover(tx: Transaction, command: Suspend) -> Cover:
    """Let a cover rest from a month on (暂停缴费).

    Raises:
        NotFound: COVER_NOT_FOUND.
        Refused: COVER_ENDED, PARTICIPATION_STATE_FORBIDS, MONTH_ALREADY_BILLED.
        InvalidInput: SUSPENSION_MONTH_INVALID.
    """
    found = await for_change(tx, command.relation_id)
    rules.check_open(found)
    register.transition(found.state, Action.SUSPEND)
    await check_suspension(tx, found.cover_id, found.start_month, command.from_month)
    await cover.suspend(tx, found.cover_id, command.from_month, command.reason)
    tx.audit("SuspendCover", person_id=found.person_id, detail={**detail(found), "reason": command.reason})
    return await _again(tx, found)


async def resume_cover(tx: Transaction, command: Resume) -> Cover:
    """Let a suspended cover go on with a month (恢复缴费).

    Raises:
        NotFound: COVER_NOT_FOUND.
        Refused: COVER_ENDED, PARTICIPATION_STATE_FORBIDS.
        InvalidInput: SUSPENSION_MONTH_INVALID.
    """
    found = await for_change(tx, command.relation_id)
    rules.check_open(found)
    register.transition(found.state, Action.RESUME)
    since = await cover.suspended_from(tx, found.cover_id)
    assert since is not None
    rules.check_resumption(command.from_month, since, tx.today)
    await cover.resume(tx, found.cover_id, command.from_month)
    tx.audit("ResumeCover", person_id=found.person_id, detail=detail(found))
    return await _again(tx, found)


async def end_cover(tx: Transaction, command: EndCover) -> Cover:
    """End a cover (终止缴费).

    Raises:
        NotFound: COVER_NOT_FOUND.
        Refused: COVER_ENDED.
        InvalidInput: END_MONTH_INVALID.
    """
    found = await for_change(tx, command.cover_id)
    rules.check_open(found)
    rules.check_end(found, command.end_month, tx.today, await cover.last_billed(tx, found.cover_id))
    return await end(tx, found, command.end_month, command.reason)


async def show_cover(tx: Transaction, cover_id: UUID) -> Cover:
    """Show a cover to its person, staff and partners.

    Raises:
        NotFound: COVER_NOT_FOUND.
    """
    return _checked(tx, await cover.load(tx, cover_id))


async def end_by_work(tx: Transaction, person_id: UUID, start: Month) -> None:
    """An employment begins: covers end with the month before; unpaid bills from then on are withdrawn."""
    for one in await cover.of_person(tx, person_id, only_open=True):
        await cover_bills.withdraw(tx, person_id, start, Month(start.year + 2, 12))
        await end(tx, one, max(start.previous, one.start_month), EndReason.EMPLOYED)


async def end_all(
    tx: Transaction, person_id: UUID, month: Month, reason: EndReason, kind: CoverKind | None = None
) -> None:
    """A pension starts, or the person died: every open cover, or each of a kind, ends with that month."""
    for one in await cover.of_person(tx, person_id, only_open=True):
        if kind is None or one.kind is kind:
            await end(tx, one, max(month, one.start_month), reason)


async def move_death(tx: Transaction, person_id: UUID, month: Month) -> None:
    """The day of a death was corrected: covers that it ended now end with the right month."""
    for one in await cover.of_person(tx, person_id):
        if one.end_reason is EndReason.DIED and one.end_month != max(month, one.start_month):
            await end(tx, one, max(month, one.start_month), EndReason.DIED)


async def revive(
    tx: Transaction, person_id: UUID, reason: EndReason = EndReason.DIED, kind: CoverKind | None = None
) -> None:
    """Nobody died, or retired: the covers that it ended go on, unless something else insures the person by now."""
    now = Month.of(tx.today)
    open_kinds: set[CoverKind] = set()
    for one in await cover.of_person(tx, person_id):  # newest first
        if one.end_month is None:
            open_kinds.add(one.kind)
        elif one.end_reason is reason and one.kind not in open_kinds and kind in {None, one.kind}:
            if await cover.employed(tx, person_id, min(now, one.end_month.next)) is not None:
                continue
            await cover.reopen(tx, one.cover_id)
            open_kinds.add(one.kind)
            tx.emit(facts.participation_started(participation_of(one), one.division))
            tx.audit("ReopenCover", person_id=person_id, detail=detail(one))


async def end(tx: Transaction, one: Cover, month: Month, reason: EndReason) -> Cover:
    """End a cover and say so."""
    await cover.end(tx, one.cover_id, month, reason)
    known = await accounts.contributions_version(tx, one.person_id)
    tx.emit(facts.participation_ended(participation_of(one), month, reason, contributions_version=known))
    tx.audit("EndCover", person_id=one.person_id, detail={**detail(one), "reason": reason})
    return await _again(tx, one)


async def for_change(tx: Transaction, cover_id: UUID) -> Cover:
    """A cover with its person locked.

    Raises:
        NotFound: COVER_NOT_FOUND.
    """
    return _checked(tx, await cover.load_for_change(tx, cover_id))


async def check_suspension(tx: Transaction, relation_id: UUID, start: Month, from_month: Month) -> None:
    """Whether an enrolment or cover may rest from a month on: not billed, and not within an earlier suspension."""
    rules.check_suspension(from_month, start, tx.today, await cover.last_billed(tx, relation_id))
    earlier = await cover.last_suspended(tx, relation_id)
    if earlier is not None and from_month <= earlier:
        rules.check_suspension(from_month, earlier.next, tx.today, None)


def participation_of(one: Cover) -> Participation:
    """The participation of a cover."""
    return Participation(
        participation_id=one.participation_id,
        person_id=one.person_id,
        employer_id=None,
        scheme=COVER_SCHEMES[one.kind],
        state=State.ACTIVE,
        start_month=one.start_month,
        end_month=None,
        end_reason=None,
        track=one.track,
        cover_id=one.cover_id,
    )


def detail(one: Cover) -> dict[str, str]:
    """What an audit row says of a cover."""
    return {"cover_id": ids.to_text("cov", one.cover_id)}


async def covers_of(tx: Transaction, person_id: UUID) -> Sequence[Cover]:
    """The covers of a person, newest first."""
    return await cover.of_person(tx, person_id)


async def _add(tx: Transaction, made: Cover) -> Cover:
    rules.check_not_employed(await cover.employed(tx, made.person_id, made.start_month))
    rules.check_not_covered(await cover.covered(tx, made.person_id, made.kind, made.start_month))
    await cover.add(tx, made)
    tx.emit(facts.participation_started(participation_of(made), made.division), is_first=True)
    tx.audit("EnrollCover", person_id=made.person_id, detail={**detail(made), "kind": made.kind})
    return made


async def _again(tx: Transaction, one: Cover) -> Cover:
    return await cover.load(tx, one.cover_id) or replace(one)


def _checked(tx: Transaction, found: Cover | None) -> Cover:
    if found is None:
        raise cover_not_found()
    try:
        tx.principal.require_person(found.person_id)
    except NotFound:
        raise cover_not_found() from None
    return found


def _person(name: str, identity: ResidentIdCheck) -> Person:
    assert identity.birth is not None
    assert identity.sex is not None
    return Person(
        person_id=ids.new_id(),
        name=name,
        id_no=identity.number,
        birth_date=identity.birth,
        sex=identity.sex,
        division=identity.division,
    )
