"""What is shown of a person: masked identity, participations, contribution months. Jobs of this service, too."""

from collections.abc import Sequence
from uuid import UUID

from chassis import jobs, paging
from chassis.jobs import Job, Reject
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.errors import InvalidInput
from services.enrollment.accounting import ContributionMonth
from services.enrollment.cover import Insurance
from services.enrollment.register import Person
from services.enrollment.store import contributions, people
from services.enrollment.store import insurance as insured

FIRST_YEAR, LAST_YEAR = 1949, 2200


async def find_person(tx: Transaction, id_no: str, name: str) -> Person:
    """Find a person by number; a name that differs is answered like an unknown number.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    found = await people.person_by_number(tx, id_no)
    if found is None or (name and found.name != name):
        raise person_not_found()
    return found


async def person(tx: Transaction, person_id: UUID) -> Person:
    """Show a person; a record that went up in another is answered with the survivor.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    found = await people.standing(tx, person_id)
    if found is None:
        raise person_not_found()
    return found


async def insurance(tx: Transaction, person_id: UUID) -> Insurance:
    """Show everything by which a person is insured, of whatever kind.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    found = await insured.of_person(tx, person_id)
    if found is None:
        raise person_not_found()
    return found


async def list_contributions(
    tx: Transaction, person_id: UUID, *, year: int, size: int, token: str
) -> tuple[Sequence[ContributionMonth], str]:
    """A page of contribution months, newest first, of one year or (0) of all, and the token of the next page.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: YEAR_INVALID, PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    if year and not FIRST_YEAR <= year <= LAST_YEAR:
        raise InvalidInput("YEAR_INVALID", f"a year is {FIRST_YEAR} to {LAST_YEAR}, or 0 for all", field="year")
    tx.principal.require_person(person_id)
    page = paging.read(tx, size=size, token=token, query=f"contributions {person_id} {year}")
    after = contributions.START
    if page.after:
        month, _, code = page.after.partition(" ")
        after = (Month.parse(month), int(code))
    first, last = (Month(year, 1), Month(year, 12)) if year else (Month(FIRST_YEAR, 1), Month(LAST_YEAR, 12))
    rows = await contributions.months(tx, person_id, first=first, last=last, after=after, limit=page.size + 1)
    if rows is None:
        raise person_not_found()
    shown = rows[: page.size]
    return shown, paging.following(tx, page, contributions.cursor(shown[-1])) if len(rows) > page.size else ""


async def job(tx: Transaction, job_id: UUID) -> Job:
    """Show a job.

    Raises:
        NotFound: JOB_NOT_FOUND.
    """
    return await jobs.get(tx, job_id)


async def list_rejects(tx: Transaction, job_id: UUID, *, size: int, token: str) -> tuple[Sequence[Reject], str]:
    """A page of the rows that a job did not take, and the token of the next.

    Raises:
        NotFound: JOB_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    await jobs.get(tx, job_id)
    page = paging.read(tx, size=size, token=token, query=f"rejects {job_id}")
    chunk, _, line = page.after.partition(" ")
    after = (int(chunk), int(line)) if page.after else (0, 0)
    rows = await jobs.rejects(tx, job_id, after=after, limit=page.size + 1)
    shown = rows[: page.size]
    following = ""
    if len(rows) > page.size:
        following = paging.following(tx, page, f"{shown[-1][0]} {shown[-1][1].line}")
    return [reject for _, reject in shown], following
