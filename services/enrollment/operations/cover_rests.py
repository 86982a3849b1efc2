"""Employees whose participations rest for some months (暂停、恢复缴费): the months are not billed and do not count."""

from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import NotFound, Refused
from services.enrollment import cover as rules
from services.enrollment import register
from services.enrollment.commands import Resume, Suspend
from services.enrollment.operations import cover_people
from services.enrollment.register import Action, Enrollment, enrollment_not_found
from services.enrollment.store import cover, employments


async def suspend_enrollment(tx: Transaction, command: Suspend) -> Enrollment:
    """Let an enrolment rest from a month on.

    Raises:
        NotFound: ENROLLMENT_NOT_FOUND.
        Refused: ENROLLMENT_ENDED, PARTICIPATION_STATE_FORBIDS, MONTH_ALREADY_BILLED.
        InvalidInput: SUSPENSION_MONTH_INVALID.
    """
    found = await _for_change(tx, command, Action.SUSPEND)
    await cover_people.check_suspension(tx, found.enrollment_id, found.start_month, command.from_month)
    await cover.suspend(tx, found.enrollment_id, command.from_month, command.reason)
    detail = {"enrollment_id": ids.to_text("enr", found.enrollment_id), "reason": command.reason.value}
    tx.audit("SuspendEnrollment", person_id=found.person_id, detail=detail)
    return await _again(tx, found)


async def resume_enrollment(tx: Transaction, command: Resume) -> Enrollment:
    """Let a suspended enrolment go on with a month.

    Raises:
        NotFound: ENROLLMENT_NOT_FOUND.
        Refused: ENROLLMENT_ENDED, PARTICIPATION_STATE_FORBIDS.
        InvalidInput: SUSPENSION_MONTH_INVALID.
    """
    found = await _for_change(tx, command, Action.RESUME)
    since = await cover.suspended_from(tx, found.enrollment_id)
    assert since is not None
    rules.check_resumption(command.from_month, since, tx.today)
    await cover.resume(tx, found.enrollment_id, command.from_month)
    detail = {"enrollment_id": ids.to_text("enr", found.enrollment_id)}
    tx.audit("ResumeEnrollment", person_id=found.person_id, detail=detail)
    return await _again(tx, found)


async def _for_change(tx: Transaction, command: Suspend | Resume, action: Action) -> Enrollment:
    found = await employments.load_for_change(tx, command.relation_id)
    if found is None:
        raise enrollment_not_found()
    try:
        tx.principal.require_employer(found.employer_id)
    except NotFound:
        raise enrollment_not_found() from None
    if found.end_month is not None:
        raise Refused("ENROLLMENT_ENDED", "the enrolment has ended", until=str(found.end_month))
    for one in found.participations:
        register.transition(one.state, action)
    return found


async def _again(tx: Transaction, found: Enrollment) -> Enrollment:
    tx.session.expire_all()  # the rows were changed beside the session
    return await employments.load(tx, found.enrollment_id) or found
