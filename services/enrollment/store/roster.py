"""Enrolments by the hundred: what stands in the way of each, and the rows of all of them in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.register import (
    SCHEME_CODES,
    SCHEMES,
    EndReason,
    Enrollment,
    Participation,
    Post,
    State,
    Stretch,
    Track,
    Wage,
)
from services.enrollment.store import history, people

EMPLOYMENTS = """
    SELECT person_id, employer_id, start_month, end_month, post, wage_fen
    FROM employment LEFT JOIN declared_wage AS wage
        ON wage.enrollment_id = employment.enrollment_id AND from_month = start_month
    WHERE person_id = ANY($1) ORDER BY person_id, start_month
"""
ADD = """
    WITH employed AS (
        INSERT INTO employment (enrollment_id, person_id, employer_id, post, track, start_month)
        SELECT id, person, $1, post, track, start
        FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::date[]) AS one (id, person, post, track, start)
    ), declared AS (
        INSERT INTO declared_wage (enrollment_id, from_month, wage_fen)
        SELECT * FROM unnest($2::uuid[], $6::date[], $7::bigint[])
    )
    INSERT INTO participation
        (participation_id, enrollment_id, person_id, employer_id, scheme, state, track, start_month)
    SELECT id, enrollment, person, $1, scheme, $8, track, start
    FROM unnest($9::uuid[], $10::uuid[], $11::uuid[], $12::smallint[], $13::text[], $14::date[])
        AS part (id, enrollment, person, scheme, track, start)
"""


FORMER = "SELECT id_no_index FROM former_number WHERE id_no_index = ANY($1)"
# Employments with one employer, locked; bills of the employer wait until this commits, and this waits for them.
LOCK_EMPLOYER = "SELECT 1 FROM employer WHERE employer_id = $1 FOR SHARE"
WITH_EMPLOYER = """
    SELECT person_id, enrollment_id, post, track, start_month, end_month, end_reason, (
        SELECT max(month) FROM bill_line WHERE bill_line.enrollment_id = employment.enrollment_id
    ) AS billed
    FROM employment WHERE person_id = ANY($2) AND employer_id = $1 ORDER BY person_id, start_month FOR UPDATE
"""
END = """
    WITH one AS (SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[]) AS one (id, month, reason)), ended AS (
        UPDATE employment SET end_month = month, end_reason = reason FROM one
        WHERE enrollment_id = one.id AND enrollment_id = ANY($1)
    )
    UPDATE participation SET state = 'ENDED', end_month = month, end_reason = reason FROM one
    WHERE enrollment_id = one.id AND enrollment_id = ANY($1) AND participation.end_month IS NULL
    RETURNING participation_id, enrollment_id, person_id, employer_id, scheme, start_month, track
"""
VERSIONS = "SELECT id, version FROM aggregate WHERE kind = 'contributions' AND id = ANY($1)"
WAGES = """
    SELECT enrollment_id, from_month, wage_fen FROM declared_wage WHERE enrollment_id = ANY($1)
"""
DECLARE = """
    INSERT INTO declared_wage (enrollment_id, from_month, wage_fen)
    SELECT * FROM unnest($1::uuid[], $2::date[], $3::bigint[])
    ON CONFLICT (enrollment_id, from_month) DO UPDATE SET wage_fen = excluded.wage_fen
"""


@dataclass(frozen=True, slots=True)
class WithEmployer:
    """An employment with the employer of a file, locked, and its last billed month."""

    enrollment: Enrollment
    billed: Month | None


@dataclass(frozen=True, slots=True)
class Ended:
    """An employment that a file ends."""

    enrollment: Enrollment
    month: Month
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Held:
    """An employment that is recorded, as a row of a roster would say it."""

    employer_id: UUID
    months: Stretch
    wage: Money | None  # declared for the first month
    post: Post | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A person who stands in the register, locked, with every employment; the last one is the latest."""

    person_id: UUID
    name: str
    is_retired: bool
    employments: Sequence[Held]
    is_dead: bool = False


async def standing(tx: Transaction, numbers: Iterable[str]) -> Mapping[str, Standing]:
    """Those who are registered among some numbers, by number.

    Their rows are locked first and their employments read after it: nobody else enrols them until this commits.
    """
    known = await history.known(tx, numbers)
    held: dict[UUID, list[Held]] = {one.person_id: [] for one in known.values()}
    for row in await tx.fetch(EMPLOYMENTS, list(held)):
        end = Month.of(row["end_month"]) if row["end_month"] else None
        held[row["person_id"]].append(
            Held(
                employer_id=row["employer_id"],
                months=Stretch(Month.of(row["start_month"]), end),
                wage=None if row["wage_fen"] is None else Money(row["wage_fen"]),
                post=Post(row["post"]) if row["post"] else None,
            )
        )
    return {
        number: Standing(one.person_id, one.name, one.is_retired, held[one.person_id], one.is_dead)
        for number, one in known.items()
    }


async def add(tx: Transaction, employer_id: UUID, enrollments: Sequence[Enrollment]) -> None:
    """Store enrolments with their first wages and participations; the persons are locked or new."""
    parts = [part for one in enrollments for part in one.participations]
    owners = [one for one in enrollments for _ in one.participations]
    await tx.execute(
        ADD,
        employer_id,
        [one.enrollment_id for one in enrollments],
        [one.person_id for one in enrollments],
        [one.post for one in enrollments],
        [one.track for one in enrollments],
        [one.start_month.first_day for one in enrollments],
        [one.wages[0].amount.fen for one in enrollments],
        State.ACTIVE,
        [part.participation_id for part in parts],
        [one.enrollment_id for one in owners],
        [one.person_id for one in owners],
        [SCHEME_CODES[part.scheme] for part in parts],
        [one.track for one in owners],
        [one.start_month.first_day for one in owners],
    )


async def replaced(tx: Transaction, numbers: Iterable[str]) -> set[str]:
    """Those among some numbers that were replaced by others and register nobody any more."""
    by_index = {people.id_no_index(tx.database.sealer, number): number for number in numbers}
    return {by_index[row["id_no_index"]] for row in await tx.fetch(FORMER, list(by_index))}


async def with_employer(
    tx: Transaction, employer_id: UUID, person_ids: Sequence[UUID]
) -> Mapping[UUID, Sequence[WithEmployer]]:
    """The employments of persons with an employer, locked, earliest first."""
    await tx.execute(LOCK_EMPLOYER, employer_id)
    found: dict[UUID, list[WithEmployer]] = {}
    for row in await tx.fetch(WITH_EMPLOYER, employer_id, list(person_ids)):
        one = Enrollment(
            enrollment_id=row["enrollment_id"],
            person_id=row["person_id"],
            employer_id=employer_id,
            post=Post(row["post"]) if row["post"] else None,
            track=Track(row["track"]),
            start_month=Month.of(row["start_month"]),
            end_month=Month.of(row["end_month"]) if row["end_month"] else None,
            end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        )
        billed = Month.of(row["billed"]) if row["billed"] else None
        found.setdefault(one.person_id, []).append(WithEmployer(one, billed))
    return found


async def end(tx: Transaction, ends: Sequence[Ended]) -> Sequence[tuple[Participation, EndReason, int]]:
    """End employments; the participations that ended, why, and the contributions of the person that went before."""
    rows = await tx.fetch(
        END,
        [one.enrollment.enrollment_id for one in ends],
        [one.month.first_day for one in ends],
        [one.reason for one in ends],
    )
    keys = {one.enrollment.person_id: ids.to_text("per", one.enrollment.person_id) for one in ends}
    known = {row["id"]: row["version"] for row in await tx.fetch(VERSIONS, list(keys.values()))}
    how = {one.enrollment.enrollment_id: one for one in ends}
    ended = []
    for row in rows:
        one = how[row["enrollment_id"]]
        part = Participation(
            participation_id=row["participation_id"],
            person_id=row["person_id"],
            employer_id=row["employer_id"],
            scheme=SCHEMES[row["scheme"]],
            state=State.ENDED,
            start_month=Month.of(row["start_month"]),
            end_month=one.month,
            end_reason=one.reason,
            track=Track(row["track"]),
        )
        ended.append((part, one.reason, known.get(keys[part.person_id], 0)))
    return ended


async def wages(tx: Transaction, enrollment_ids: Sequence[UUID]) -> Mapping[tuple[UUID, Month], Money]:
    """The wages that are declared for enrolments, by the month from which they count."""
    rows = await tx.fetch(WAGES, list(enrollment_ids))
    return {(row["enrollment_id"], Month.of(row["from_month"])): Money(row["wage_fen"]) for row in rows}


async def declare(tx: Transaction, declared: Sequence[tuple[UUID, Wage]]) -> None:
    """Store declared wages; one for the same month replaces it, which only happens before that month is billed."""
    await tx.execute(
        DECLARE,
        [enrollment_id for enrollment_id, _ in declared],
        [wage.from_month.first_day for _, wage in declared],
        [wage.amount.fen for _, wage in declared],
    )
