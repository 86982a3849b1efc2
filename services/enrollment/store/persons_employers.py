"""What was in force for an employer from which month on; the list of employers; what keeps one from being closed."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from services.enrollment.persons import EmployerVersion
from services.enrollment.register import Employer

# The month from which the registration counts, however early a bill is; the driver stores it as -infinity.
ALWAYS = date.min
# The employer as it is in a month; without history it was always as its row says. `$1` may be any employer.
IN_FORCE = """
    SELECT employer.employer_id, credit_code, coalesce(version.name, employer.name) AS name,
           coalesce(version.division, employer.division) AS division,
           coalesce(version.injury_class, employer.injury_class) AS injury_class,
           coalesce(version.injury_step, employer.injury_step) AS injury_step, register_date, deregister_date
    FROM employer LEFT JOIN LATERAL (
        SELECT * FROM employer_version WHERE employer_version.employer_id = employer.employer_id
          AND superseded IS NULL AND start_month <= $1 ORDER BY start_month DESC LIMIT 1
    ) AS version ON true
"""


async def in_force(tx: Transaction, employer_id: UUID, month: Month) -> tuple[Employer, date | None] | None:
    """An employer as it is in a month, and when it was deregistered."""
    row = await tx.fetchrow(f"{IN_FORCE} WHERE employer.employer_id = $2", month.first_day, employer_id)
    return (_employer(row), row["deregister_date"]) if row else None


async def by_code(tx: Transaction, credit_code: str, month: Month) -> tuple[Employer, date | None] | None:
    """The employer with a credit code."""
    row = await tx.fetchrow(f"{IN_FORCE} WHERE credit_code = $2", month.first_day, credit_code)
    return (_employer(row), row["deregister_date"]) if row else None


async def listed(
    tx: Transaction, month: Month, *, division: str, with_deregistered: bool, after: str, limit: int
) -> Sequence[tuple[Employer, date | None]]:
    """Employers by credit code, of a division or (empty) of all."""
    rows = await tx.fetch(
        f"""
        {IN_FORCE} WHERE ($2 = '' OR coalesce(version.division, employer.division) = $2) AND credit_code > $3
          AND ($4 OR deregister_date IS NULL) ORDER BY credit_code LIMIT $5
        """,
        month.first_day,
        division,
        after,
        with_deregistered,
        limit,
    )
    return [(_employer(row), row["deregister_date"]) for row in rows]


async def versions(tx: Transaction, employer_id: UUID) -> Sequence[EmployerVersion]:
    """What the register holds to be in force, newest first; empty when nothing ever changed."""
    rows = await tx.fetch(
        "SELECT * FROM employer_version WHERE employer_id = $1 AND superseded IS NULL ORDER BY start_month DESC",
        employer_id,
    )
    return [
        EmployerVersion(
            None if row["start_month"] == ALWAYS else Month.of(row["start_month"]),
            row["name"],
            row["division"],
            row["injury_class"],
            row["injury_step"],
            row["evidence"],
        )
        for row in rows
    ]


async def add_version(tx: Transaction, employer_id: UUID, version: EmployerVersion) -> None:
    """Store what is in force from a month on; another version of the same month is superseded by it."""
    start = version.start_month.first_day if version.start_month else ALWAYS
    await tx.execute(
        """
        UPDATE employer_version SET superseded = $3
        WHERE employer_id = $1 AND start_month = $2 AND superseded IS NULL
        """,
        employer_id,
        start,
        tx.now,
    )
    await tx.execute(
        """
        INSERT INTO employer_version
            (employer_id, start_month, name, division, injury_class, injury_step, evidence, recorded)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        employer_id,
        start,
        version.name,
        version.division,
        version.injury_class,
        version.injury_step,
        version.evidence,
        tx.now,
    )


async def write(tx: Transaction, employer: Employer) -> None:
    """Write what is in force now into the employer's own row."""
    await tx.execute(
        "UPDATE employer SET name = $2, division = $3, injury_class = $4, injury_step = $5 WHERE employer_id = $1",
        employer.employer_id,
        employer.name,
        employer.division,
        employer.injury_class,
        employer.injury_step,
    )


async def last_billed(tx: Transaction, employer_id: UUID) -> Month | None:
    """The last month for which an employer has a bill."""
    row = await tx.fetchrow("SELECT max(month) AS month FROM bill WHERE employer_id = $1", employer_id)
    return Month.of(row["month"]) if row and row["month"] else None


async def bound(tx: Transaction, employer_id: UUID, month: Month) -> tuple[int, int]:
    """Persons whom an employer insures in a month or later, and bills that are not paid."""
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM employment
                WHERE employer_id = $1 AND (end_month IS NULL OR end_month > $2)) AS insured,
               (SELECT count(*) FROM bill WHERE employer_id = $1 AND state <> 'PAID') AS owed
        """,
        employer_id,
        month.first_day,
    )
    assert row is not None
    return row["insured"], row["owed"]


async def deregister(tx: Transaction, employer_id: UUID, day: date) -> None:
    """Note that an employer is no more."""
    await tx.execute("UPDATE employer SET deregister_date = $2 WHERE employer_id = $1", employer_id, day)


def _employer(row: Any) -> Employer:
    return Employer(
        employer_id=row["employer_id"],
        credit_code=row["credit_code"],
        name=row["name"],
        division=row["division"],
        injury_class=row["injury_class"],
        injury_step=row["injury_step"],
        register_date=row["register_date"],
    )
