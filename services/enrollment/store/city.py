"""Bill runs of the city: which there are, who is to be billed, what each chunk made."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from services.enrollment.billing import CHARGES
from services.enrollment.city import BillRun, Part, Totals
from services.enrollment.store.assessment import totals_of

_CHARGED = ", ".join(f"{name}_fen" for name in CHARGES)
_SUMS = ", ".join(f"coalesce(sum({name}_fen), 0)::bigint AS {name}_fen" for name in CHARGES)

# Employers in the order of their ids, cut where the sum of the persons before passes the next multiple of the size: a
# bill is never divided. Nothing is billed here: who comes or goes between this and the chunk is seen by the chunk.
PARTS = """
    SELECT (array_agg(employer_id ORDER BY employer_id))[1] AS first,
           (array_agg(employer_id ORDER BY employer_id DESC))[1] AS last, sum(persons)::bigint AS person_count
    FROM (
        SELECT employer_id, persons,
               (sum(persons) OVER (ORDER BY employer_id) - persons)::bigint / $2::bigint AS chunk
        FROM (
            SELECT employer_id, count(*) AS persons FROM participation
            WHERE scheme = 110 AND employer_id IS NOT NULL
              AND start_month <= $1 AND (end_month IS NULL OR end_month >= $1)
            GROUP BY employer_id
        ) AS insuring
    ) AS numbered GROUP BY chunk ORDER BY chunk
"""
# As `people.lock_employer`, in the order of the ids: bills of an employer are made one after the other.
LOCK = """
    WITH locked AS MATERIALIZED (
        SELECT employer_id, injury_class, injury_step FROM employer
        WHERE employer_id BETWEEN $1 AND $2 ORDER BY employer_id FOR NO KEY UPDATE
    )
    SELECT employer_id, coalesce(version.injury_class, locked.injury_class) AS injury_class,
           coalesce(version.injury_step, locked.injury_step) AS injury_step
    FROM locked LEFT JOIN LATERAL (
        SELECT injury_class, injury_step FROM employer_version WHERE employer_version.employer_id = locked.employer_id
          AND superseded IS NULL AND start_month <= $3 ORDER BY start_month DESC LIMIT 1
    ) AS version ON true
    ORDER BY employer_id
"""
FIND = f"""
    SELECT run_id, month, job_id, policy_version, assess_date, part.* FROM bill_run, LATERAL (
        SELECT coalesce(sum(bill_count), 0)::bigint AS bill_count,
               coalesce(sum(person_count), 0)::bigint AS person_count, {_SUMS}
        FROM bill_run_part WHERE bill_run_part.run_id = bill_run.run_id
    ) AS part
    WHERE month = $1
"""  # noqa: S608 - constant text
ADD_PART = f"""
    INSERT INTO bill_run_part (run_id, chunk, bill_count, person_count, {_CHARGED})
    VALUES ($1, $2, $3, $4, {", ".join(f"${place}" for place in range(5, 5 + len(CHARGES)))})
"""  # noqa: S608 - constant text


async def add(tx: Transaction, run: BillRun) -> bool:
    """Store a run; False when the month has one, also one that is being started now."""
    return (
        await tx.execute(
            """
            INSERT INTO bill_run (run_id, month, job_id, policy_version, assess_date) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (month) DO NOTHING
            """,
            run.run_id,
            run.month.first_day,
            run.job_id,
            run.policy_version,
            run.assess_date,
        )
        == 1
    )


async def find(tx: Transaction, month: Month) -> BillRun | None:
    """The run of a month with what it made so far."""
    row = await tx.fetchrow(FIND, month.first_day)
    if row is None:
        return None
    return BillRun(
        run_id=row["run_id"],
        month=Month.of(row["month"]),
        job_id=row["job_id"],
        assess_date=row["assess_date"],
        policy_version=row["policy_version"],
        totals=totals_of(dict(row)),
    )


async def parts(tx: Transaction, month: Month, size: int) -> Sequence[Part]:
    """Ranges of the employers that insure somebody in a month, each of about so many persons, in order."""
    rows = await tx.fetch(PARTS, month.first_day, size)
    return [Part(row["first"], row["last"], row["person_count"]) for row in rows]


async def plan_for_many(tx: Transaction) -> None:
    """Let each statement of this transaction be planned for the rows that it is given.

    After five chunks a connection would take one plan for all of them, made for ten rows: its joins look at every pair
    of two thousand bills and two thousand employers.
    """
    await tx.execute("SET LOCAL plan_cache_mode = force_custom_plan")


async def lock_employers(tx: Transaction, first: UUID, last: UUID, month: Month) -> Sequence[tuple[UUID, int, Decimal]]:
    """The employers of a range with class and float step of a month, locked in order until this commits."""
    rows = await tx.fetch(LOCK, first, last, month.first_day)
    return [(row["employer_id"], row["injury_class"], row["injury_step"]) for row in rows]


async def add_part(tx: Transaction, run_id: UUID, chunk: int, totals: Totals) -> None:
    """Note what a chunk made."""
    charges = (totals.charges[name].fen for name in CHARGES)
    await tx.execute(ADD_PART, run_id, chunk, totals.bill_count, totals.person_count, *charges)
