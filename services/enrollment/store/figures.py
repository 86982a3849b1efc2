"""How many are insured: the counts that the plan asks for, from indexes alone."""

from chassis.transaction import Transaction
from kernel.calendar import Month
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEMES

# A person has one participation of a scheme in a month (a new employment begins after the last one ended), so the rows
# that cover the month are the persons. The end is often known before its month is over: such a person still counts.
COUNT = """
    SELECT scheme, sum(persons)::bigint AS persons FROM (
        SELECT scheme, count(*) AS persons FROM participation
        WHERE end_month IS NULL AND start_month <= $1 GROUP BY scheme
        UNION ALL
        SELECT scheme, count(*) FROM participation WHERE end_month >= $1 AND start_month <= $1 GROUP BY scheme
    ) AS parts GROUP BY scheme
"""


async def insured(tx: Transaction, month: Month) -> dict[Scheme, int]:
    """Persons with a participation in the month, by scheme."""
    return {SCHEMES[row["scheme"]]: row["persons"] for row in await tx.fetch(COUNT, month.first_day)}
