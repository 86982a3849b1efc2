"""Certificates and their sealed facts, and the months that these tell of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import ContributionState

TABLE, COLUMN = "certificate_facts", "facts"  # part of what a sealed value is bound to; never rename


@dataclass(frozen=True, slots=True)
class Row:
    """A month of a scheme that counts."""

    month: Month
    scheme: int
    state: ContributionState
    base: Money
    employer: Money
    employee: Money

    @property
    def key(self) -> tuple[int, str, Money, Money, Money]:
        """What months of one line have in common."""
        return self.scheme, self.state, self.base, self.employer, self.employee


async def rows(tx: Transaction, person_id: UUID, first: Month, last: Month) -> Sequence[Row]:
    """The months of a period that count, in order."""
    found = await tx.fetch(
        """
        SELECT month, scheme, state, base_fen, employer_fen, employee_fen FROM contribution_month
        WHERE person_id = $1 AND month BETWEEN $2 AND $3 ORDER BY scheme, month
        """,
        person_id,
        first.first_day,
        last.first_day,
    )
    return [
        Row(
            Month.of(one["month"]),
            one["scheme"],
            ContributionState(one["state"]),
            Money(one["base_fen"]),
            Money(one["employer_fen"]),
            Money(one["employee_fen"]),
        )
        for one in found
    ]


async def keep(
    tx: Transaction, number: str, *, digest: str, facts: str, person_id: UUID, kind: str, as_of: date
) -> None:
    """Keep a certificate, and its facts unless the same were kept before."""
    await tx.execute(
        "INSERT INTO certificate_facts (digest, facts_sealed) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
        bytes.fromhex(digest),
        tx.database.sealer.seal(TABLE, COLUMN, digest, facts),
    )
    await tx.execute(
        """
        INSERT INTO certificate (certificate_id, number, digest, person_id, kind, as_of)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        ids.new_id(),
        number,
        bytes.fromhex(digest),
        person_id,
        kind,
        as_of,
    )


async def find(tx: Transaction, number: str) -> tuple[UUID, str, str, str, date] | None:
    """Person, kind, facts, digest and day of a certificate."""
    row = await tx.fetchrow(
        """
        SELECT person_id, kind, digest, as_of, facts_sealed FROM certificate JOIN certificate_facts USING (digest)
        WHERE number = $1
        """,
        number,
    )
    if row is None:
        return None
    digest = row["digest"].hex()
    facts = tx.database.sealer.open_text(TABLE, COLUMN, digest, row["facts_sealed"])
    return row["person_id"], row["kind"], facts, digest, row["as_of"]
