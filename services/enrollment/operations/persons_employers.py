"""Employers through time: changes from a month on, the end, the list, the way from a credit code."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis import paging
from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput, Refused
from services.enrollment.messages import facts as said
from services.enrollment.operations.office import Office
from services.enrollment.persons import ChangeEmployer, EmployerVersion
from services.enrollment.register import Employer, check_division
from services.enrollment.store import people
from services.enrollment.store import persons_employers as store

MONTHS_AHEAD = 12  # the float steps of a year are told before it begins
MONTHS_BACK = 24

Listed = tuple[Employer, date | None]


async def change_employer(tx: Transaction, command: ChangeEmployer, office: Office) -> Employer:
    """Change an employer from a month on (单位信息变更); the employer as of today.

    The law of the start month decides which classes and steps there are.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: EMPLOYER_DEREGISTERED, MONTH_ALREADY_BILLED, START_MONTH_OUT_OF_WINDOW.
        InvalidInput: INJURY_CLASS_INVALID, INJURY_STEP_INVALID, VALUE_REQUIRED.
    """
    await _lock(tx, command.employer_id)
    now = Month.of(tx.today)
    if not now.plus(-MONTHS_BACK) <= command.start_month <= now.plus(MONTHS_AHEAD):
        raise Refused(
            "START_MONTH_OUT_OF_WINDOW",
            "the month lies outside the window",
            field="start_month",
            earliest=str(now.plus(-MONTHS_BACK)),
            latest=str(now.plus(MONTHS_AHEAD)),
        )
    found = await store.in_force(tx, command.employer_id, command.start_month)
    assert found is not None  # it is locked
    before = found[0]
    after = _changed(before, command)
    if (after.injury_class, after.injury_step) != (before.injury_class, before.injury_step):
        _check_rate(after, command.start_month, office)
        billed = await store.last_billed(tx, command.employer_id)
        if billed is not None and command.start_month <= billed:
            raise Refused("MONTH_ALREADY_BILLED", "the month is billed", field="start_month", billed=str(billed))
    later = [
        one
        for one in await store.versions(tx, command.employer_id)
        if one.start_month is not None and one.start_month > command.start_month
    ]
    if later:
        raise Refused(
            "START_MONTH_OUT_OF_WINDOW",
            "a later change is recorded; change from that month on",
            field="start_month",
            earliest=str(later[0].start_month),
            latest=str(now.plus(MONTHS_AHEAD)),
        )
    if not await store.versions(tx, command.employer_id):
        await store.add_version(tx, command.employer_id, _version(before, None, ""))
    await store.add_version(tx, command.employer_id, _version(after, command.start_month, command.evidence))
    if command.start_month <= now:
        await store.write(tx, after)
    tx.emit(said.employer_changed(after, command.start_month))
    detail = {"employer_id": ids.to_text("emp", command.employer_id), "month": str(command.start_month)}
    tx.audit("ChangeEmployer", detail={**detail, "evidence": command.evidence})
    return (await employer(tx, command.employer_id))[0]


async def deregister_employer(tx: Transaction, employer_id: UUID, evidence: str) -> date:
    """Deregister an employer (单位注销登记).

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: EMPLOYER_DEREGISTERED, EMPLOYER_INSURES_PEOPLE, EMPLOYER_OWES.
    """
    await _lock(tx, employer_id)
    insured, owed = await store.bound(tx, employer_id, Month.of(tx.today))
    if insured:
        raise Refused("EMPLOYER_INSURES_PEOPLE", "the employer still insures people", persons=str(insured))
    if owed:
        raise Refused("EMPLOYER_OWES", "bills of the employer are not paid", bills=str(owed))
    await store.deregister(tx, employer_id, tx.today)
    tx.emit(said.employer_deregistered(employer_id, tx.today))
    detail = {"employer_id": ids.to_text("emp", employer_id), "evidence": evidence}
    tx.audit("DeregisterEmployer", detail=detail)
    return tx.today


async def employer(tx: Transaction, employer_id: UUID) -> Listed:
    """An employer as of today.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
    """
    tx.principal.require_employer(employer_id)
    found = await store.in_force(tx, employer_id, Month.of(tx.today))
    if found is None:
        raise employer_not_found()
    return found


async def find_employer(tx: Transaction, credit_code: str) -> Listed:
    """The employer with a valid credit code.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
    """
    found = await store.by_code(tx, credit_code, Month.of(tx.today))
    if found is None:
        raise employer_not_found()
    return found


async def list_employers(
    tx: Transaction, *, division: str, with_deregistered: bool, size: int, token: str
) -> tuple[Sequence[Listed], str]:
    """A page of employers by credit code, and the token of the next.

    Raises:
        InvalidInput: DIVISION_INVALID, PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    if division:
        check_division(division)
    page = paging.read(tx, size=size, token=token, query=f"employers {division} {with_deregistered}")
    rows = await store.listed(
        tx,
        Month.of(tx.today),
        division=division,
        with_deregistered=with_deregistered,
        after=page.after,
        limit=page.size + 1,
    )
    shown = rows[: page.size]
    return shown, paging.following(tx, page, shown[-1][0].credit_code) if len(rows) > page.size else ""


async def history(tx: Transaction, employer_id: UUID) -> Sequence[EmployerVersion]:
    """What was in force from which month on, newest first.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
    """
    found, _ = await employer(tx, employer_id)
    return await store.versions(tx, employer_id) or [_version(found, None, "")]


async def _lock(tx: Transaction, employer_id: UUID) -> None:
    if await people.lock_employer(tx, employer_id) is None:
        raise employer_not_found()
    found = await store.in_force(tx, employer_id, Month.of(tx.today))
    assert found is not None
    if found[1] is not None:
        raise Refused("EMPLOYER_DEREGISTERED", "the employer is deregistered", day=found[1].isoformat())


def _changed(before: Employer, command: ChangeEmployer) -> Employer:
    after = Employer(
        employer_id=before.employer_id,
        credit_code=before.credit_code,
        name=command.name or before.name,
        division=command.division or before.division,
        injury_class=command.injury_class or before.injury_class,
        injury_step=before.injury_step if command.injury_step is None else command.injury_step,
        register_date=before.register_date,
    )
    if after == before:
        raise InvalidInput("VALUE_REQUIRED", "nothing is different from what is in force")
    return after


def _check_rate(employer_: Employer, month: Month, office: Office) -> None:
    classes = office.policy.contributions.industry_rates.on(month.first_day).value
    if employer_.injury_class not in classes:
        raise InvalidInput("INJURY_CLASS_INVALID", "the law has no such industry class", field="injury_class")
    if employer_.injury_step not in classes[employer_.injury_class].steps:
        raise InvalidInput("INJURY_STEP_INVALID", "the class has no such float step", field="injury_step")


def _version(one: Employer, month: Month | None, evidence: str) -> EmployerVersion:
    return EmployerVersion(month, one.name, one.division, one.injury_class, one.injury_step, evidence)
