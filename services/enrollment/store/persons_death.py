"""Deaths, and what a death finds: an account that waits for heirs, months that were billed after it."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.money import Money
from services.enrollment.persons import (
    Death,
    DeathSource,
)


async def death(tx: Transaction, person_id: UUID) -> Death | None:
    """The death that the register knows of."""
    row = await tx.fetchrow("SELECT * FROM death WHERE person_id = $1 AND superseded IS NULL", person_id)
    if row is None or row["death_date"] is None:
        return None
    return Death(row["death_date"], DeathSource(row["source"]), row["evidence"])


async def save_death(
    tx: Transaction, person_id: UUID, day: date | None, source: DeathSource | None, evidence: str
) -> None:
    """Write a death, a corrected day, or that nobody died, and where the account stands because of it."""
    await tx.execute("UPDATE death SET superseded = $2 WHERE person_id = $1 AND superseded IS NULL", person_id, tx.now)
    await tx.execute(
        """
        INSERT INTO death (death_id, person_id, death_date, source, evidence, recorded)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        ids.new_id(),
        person_id,
        day,
        source,
        evidence,
        tx.now,
    )
    await tx.execute("UPDATE person SET died_on = $2 WHERE person_id = $1", person_id, day)
    await tx.execute(
        """
        INSERT INTO inheritance (person_id, state, since)
        SELECT person_id, $2, $3 FROM account WHERE person_id = $1
        ON CONFLICT (person_id) DO UPDATE SET state = excluded.state, since = excluded.since
        """,
        person_id,
        "PENDING" if day else "WITHDRAWN",
        day or tx.today,
    )


async def inheritance(tx: Transaction, person_id: UUID) -> tuple[bool, Money]:
    """Whether the balance of an account waits for the heirs, and the balance."""
    row = await tx.fetchrow(
        """
        SELECT coalesce(state = 'PENDING', false) AS pending, balance_fen
        FROM account LEFT JOIN inheritance USING (person_id) WHERE person_id = $1
        """,
        person_id,
    )
    return (row["pending"], Money(row["balance_fen"])) if row else (False, Money.ZERO)


async def billed_after(tx: Transaction, person_id: UUID, month: date) -> Sequence[date]:
    """Months after one that stand on bills of a person."""
    rows = await tx.fetch(
        "SELECT month FROM bill_line WHERE person_id = $1 AND month > $2 ORDER BY month", person_id, month
    )
    return [row["month"] for row in rows]
