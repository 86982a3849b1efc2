"""Employments with their participations and wages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import col, desc, select

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.errors import Conflict
from kernel.money import Money
from services.enrollment.register import (
    SCHEME_CODES,
    Employment,
    EndReason,
    Enrollment,
    Participation,
    Person,
    State,
    Stretch,
    Wage,
)
from services.enrollment.store import people
from services.enrollment.store.rows import EmploymentRow, ParticipationRow, WageRow

# One look at everything an enrolment depends on; the person is locked, so that a second enrolment waits for the first.
# The number of a record that went up in another finds the survivor.
FIND = """
    WITH known AS (
        SELECT person_id, name_sealed, birth_date, sex, division, retirement_month, died_on, merged_into
        FROM person WHERE person_id = (
            SELECT coalesce(merged_into, person_id) FROM person WHERE id_no_index = $2
        ) FOR UPDATE
    )
    SELECT coalesce((
               SELECT division FROM employer_version AS version
               WHERE version.employer_id = $1 AND superseded IS NULL AND version.start_month <= $3
               ORDER BY version.start_month DESC LIMIT 1
           ), employer.division) AS employer_division,
           deregister_date IS NOT NULL AS is_closed, former.id_no_index IS NOT NULL AS is_replaced, known.*,
           last.start_month, last.end_month
    FROM employer LEFT JOIN known ON true LEFT JOIN LATERAL (
        SELECT start_month, end_month FROM employment
        WHERE employment.person_id = known.person_id ORDER BY start_month DESC LIMIT 1
    ) AS last ON true LEFT JOIN former_number AS former ON former.id_no_index = $2 AND known.person_id IS NULL
    WHERE employer.employer_id = $1
"""
FOLLOWS = 3  # a merger that commits between look and lock is followed to the survivor
NEW_PERSON = """
    INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, phone_sealed, birth_date, sex, division)
    VALUES ($1, $11, $12, $13, $14, $15, $16, $17)
    ON CONFLICT (id_no_index) DO NOTHING RETURNING person_id
"""
# The lock of FIND was taken after its snapshot; this looks again at what was committed meanwhile.
KNOWN_PERSON = """
    SELECT $1::uuid AS person_id WHERE NOT EXISTS (
        SELECT 1 FROM employment WHERE person_id = $1 AND (end_month IS NULL OR end_month >= $6)
    )
"""
ADD = """
    WITH insured AS ({person}), employed AS (
        INSERT INTO employment (enrollment_id, person_id, employer_id, post, track, start_month)
        SELECT $2, person_id, $3, $4, $5, $6 FROM insured
        ON CONFLICT DO NOTHING RETURNING enrollment_id, person_id
    ), declared AS (
        INSERT INTO declared_wage (enrollment_id, from_month, wage_fen) SELECT enrollment_id, $6, $7 FROM employed
    )
    INSERT INTO participation
        (participation_id, enrollment_id, person_id, employer_id, scheme, state, track, start_month)
    SELECT part.id, enrollment_id, person_id, $3, part.scheme, $10, $5, $6
    FROM employed CROSS JOIN unnest($8::uuid[], $9::smallint[]) AS part (id, scheme)
"""
# By way of the person: the lines of one are few and have an index, and an index of their own for enrolments would cost
# every month's run a third of its time.
LAST_BILLED = """
    SELECT max(month) AS month FROM bill_line
    WHERE person_id = (SELECT person_id FROM employment WHERE enrollment_id = $1) AND enrollment_id = $1
"""
ADD_FOR_NEW = ADD.format(person=NEW_PERSON)
ADD_FOR_KNOWN = ADD.format(person=KNOWN_PERSON)


@dataclass(frozen=True, slots=True)
class Desk:
    """What is known when somebody comes to be enrolled: the employer, perhaps the person and the last employment."""

    employer_division: str
    person_id: UUID | None
    name: str
    is_retired: bool
    last: Stretch | None
    is_dead: bool = False
    is_closed: bool = False  # the employer is deregistered
    is_replaced: bool = False  # the number belonged to somebody who has another one now


async def look_up(tx: Transaction, employer_id: UUID, id_no: str) -> Desk | None:
    """What an enrolment depends on; None when there is no such employer."""
    sealer = tx.database.sealer
    for _ in range(FOLLOWS):
        row = await tx.fetchrow(FIND, employer_id, people.id_no_index(sealer, id_no), tx.today)
        if row is None:
            return None
        if row["merged_into"] is None:
            break
    else:
        raise Conflict("CONCURRENT_CHANGE", "records of this person are being merged", retry_after=0.2)
    person_id: UUID | None = row["person_id"]
    if person_id is None:
        return Desk(
            row["employer_division"],
            None,
            "",
            is_retired=False,
            last=None,
            is_closed=row["is_closed"],
            is_replaced=row["is_replaced"],
        )
    name = people.open_name(sealer, person_id, row["name_sealed"], is_shown=False)
    last = Stretch(Month.of(row["start_month"]), _month(row["end_month"])) if row["start_month"] else None
    return Desk(
        row["employer_division"],
        person_id,
        name,
        is_retired=row["retirement_month"] is not None,
        last=last,
        is_dead=row["died_on"] is not None,
        is_closed=row["is_closed"],
    )


async def add(tx: Transaction, enrollment: Enrollment, wage: Money, *, new: Person | None, phone: str) -> bool:
    """Store an enrolment with its wage and participations, and the person when new, in one statement.

    False when somebody else was faster: the person was registered or enrolled since the look-up.
    """
    parameters: list[Any] = [
        enrollment.person_id,
        enrollment.enrollment_id,
        enrollment.employer_id,
        enrollment.post,
        enrollment.track,
        enrollment.start_month.first_day,
        wage.fen,
        [one.participation_id for one in enrollment.participations],
        [SCHEME_CODES[one.scheme] for one in enrollment.participations],
        State.ACTIVE,
    ]
    statement = ADD_FOR_KNOWN
    if new is not None:
        sealer = tx.database.sealer
        sealed_phone = people.seal_phone(sealer, new.person_id, phone)
        parameters += [*people.seal_identity(sealer, new), sealed_phone, new.birth_date, new.sex, new.division]
        statement = ADD_FOR_NEW
    return await tx.execute(statement, *parameters) == len(enrollment.participations)


async def load(tx: Transaction, enrollment_id: UUID) -> Enrollment | None:
    """An enrolment with its participations and wages."""
    row = await tx.session.get(EmploymentRow, enrollment_id)
    return await _complete(tx, row) if row else None


async def load_for_change(tx: Transaction, enrollment_id: UUID) -> Enrollment | None:
    """The same, locked; bills of the employer wait until this commits, and this waits for them."""
    found = await tx.fetchrow(
        """
        SELECT 1 FROM employment JOIN employer USING (employer_id) WHERE enrollment_id = $1
        FOR UPDATE OF employment FOR SHARE OF employer
        """,
        enrollment_id,
    )
    return await load(tx, enrollment_id) if found else None


async def open_enrollment(tx: Transaction, person_id: UUID) -> Enrollment | None:
    """The person's open enrolment, locked for a change."""
    row = await tx.fetchrow(
        "SELECT enrollment_id FROM employment WHERE person_id = $1 AND end_month IS NULL", person_id
    )
    return await load_for_change(tx, row["enrollment_id"]) if row else None


async def ended_for(tx: Transaction, person_id: UUID, reason: EndReason) -> Sequence[Enrollment]:
    """The enrolments of a person that ended for a reason, a death for example."""
    rows = await tx.fetch(
        "SELECT enrollment_id FROM employment WHERE person_id = $1 AND end_reason = $2", person_id, reason.value
    )
    found = [await load_for_change(tx, row["enrollment_id"]) for row in rows]
    return [one for one in found if one is not None]


async def reopen(tx: Transaction, enrollment_id: UUID) -> str:
    """An enrolment and its participations go on as if they had not ended; the division of the employer."""
    row = await tx.fetchrow(
        """
        WITH parts AS (
            UPDATE participation SET state = 'ACTIVE', end_month = NULL, end_reason = NULL WHERE enrollment_id = $1
        )
        UPDATE employment SET end_month = NULL, end_reason = NULL FROM employer
        WHERE enrollment_id = $1 AND employer.employer_id = employment.employer_id RETURNING employer.division
        """,
        enrollment_id,
    )
    assert row is not None
    division: str = row["division"]
    return division


async def last_billed(tx: Transaction, enrollment_id: UUID) -> Month | None:
    """The last month of the enrolment that stands on a bill."""
    row = await tx.fetchrow(LAST_BILLED, enrollment_id)
    return _month(row["month"]) if row else None


async def end(tx: Transaction, enrollment_id: UUID, month: Month, reason: EndReason) -> None:
    """End an enrolment with its open participations."""
    await tx.execute(
        """
        WITH ended AS (
            UPDATE participation SET state = 'ENDED', end_month = $2, end_reason = $3
            WHERE enrollment_id = $1 AND (end_month IS NULL OR $3 = 'DIED')
        )
        UPDATE employment SET end_month = $2, end_reason = $3 WHERE enrollment_id = $1
        """,
        enrollment_id,
        month.first_day,
        reason,
    )


async def declare(tx: Transaction, enrollment_id: UUID, wage: Wage) -> None:
    """Store a declared wage; one for the same month replaces it, which only happens before that month is billed."""
    await tx.execute(
        """
        INSERT INTO declared_wage (enrollment_id, from_month, wage_fen) VALUES ($1, $2, $3)
        ON CONFLICT (enrollment_id, from_month) DO UPDATE SET wage_fen = excluded.wage_fen
        """,
        enrollment_id,
        wage.from_month.first_day,
        wage.amount.fen,
    )


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[Employment]:
    """The employments of a person with the names of their employers, newest first."""
    rows = await tx.fetch(
        """
        SELECT enrollment_id, employer_id, name, start_month, end_month
        FROM employment JOIN employer USING (employer_id) WHERE person_id = $1 ORDER BY start_month DESC
        """,
        person_id,
    )
    return [
        Employment(
            enrollment_id=row["enrollment_id"],
            employer_id=row["employer_id"],
            employer_name=row["name"],
            start_month=Month.of(row["start_month"]),
            end_month=_month(row["end_month"]),
        )
        for row in rows
    ]


async def _complete(tx: Transaction, row: EmploymentRow) -> Enrollment:
    parts = await tx.session.scalars(
        select(ParticipationRow)
        .where(ParticipationRow.enrollment_id == row.enrollment_id)
        .order_by(col(ParticipationRow.scheme))
    )
    wages = await tx.session.scalars(
        select(WageRow).where(WageRow.enrollment_id == row.enrollment_id).order_by(desc(col(WageRow.from_month)))
    )
    return Enrollment(
        enrollment_id=row.enrollment_id,
        person_id=row.person_id,
        employer_id=row.employer_id,
        post=row.post,
        track=row.track,
        start_month=row.start_month,
        end_month=row.end_month,
        end_reason=row.end_reason,
        wages=[Wage(wage.from_month, wage.wage) for wage in wages],
        participations=[_participation(part) for part in parts],
    )


def _participation(row: ParticipationRow) -> Participation:
    return Participation(
        participation_id=row.participation_id,
        person_id=row.person_id,
        employer_id=row.employer_id,
        scheme=row.scheme,
        state=row.state,
        start_month=row.start_month,
        end_month=row.end_month,
        end_reason=row.end_reason,
        track=row.track,
        cover_id=row.cover_id,
    )


def _month(day: date | None) -> Month | None:
    return None if day is None else Month.of(day)
