"""Enrolments by the hundred: what stands in the way of each, and the rows of all of them in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.register import SCHEME_CODES, Enrollment, Post, State, Stretch
from services.enrollment.store import history

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
        number: Standing(one.person_id, one.name, one.is_retired, held[one.person_id]) for number, one in known.items()
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
