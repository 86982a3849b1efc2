"""Differences between provisional and final limits: made, taken to the accounts and shown, each by one statement."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import EntryKind, booking_month
from services.enrollment.billing import CHARGES, Terms
from services.enrollment.collection import Difference
from services.enrollment.domain.contributions import Scheme, Side
from services.enrollment.store import terms as stored_terms
from services.enrollment.store.assessment import HALF_UP

RATED = (*CHARGES, "account")
_COLUMNS = ", ".join(f"{name}_fen" for name in RATED)
_CHARGES = ", ".join(f"{name}_fen" for name in CHARGES)
_LAW = ", ".join(f"{name}_n, {name}_d" for name in RATED)
_ARRAYS = ", ".join(f"${place}::bigint[]" for place in range(3, 5 + 2 * len(RATED)))
# As in store.assessment: half-up in integers, of the new base, less what was billed and settled before.
_AMOUNTS = ", ".join(
    f"{HALF_UP.format(base='now.base_fen', n=f'{name}_n', d=f'{name}_d')}"
    f" - line.{name}_fen - coalesce(prior.{name}_fen, 0) AS {name}_fen"
    for name in RATED
)
MAKE = f"""
    WITH law AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], {_ARRAYS})
            AS law (bill_id, difference_id, floor_fen, ceiling_fen, {_LAW})
    ), changed AS (
        INSERT INTO difference_line (difference_id, person_id, month, wage_fen, base_before_fen, base_fen, {_COLUMNS})
        SELECT law.difference_id, line.person_id, line.month, line.wage_fen, coalesce(prior.base_fen, line.base_fen),
               now.base_fen, {_AMOUNTS}
        FROM law JOIN bill_line AS line USING (bill_id)
        CROSS JOIN LATERAL (
            SELECT least(greatest(line.wage_fen, floor_fen), ceiling_fen) AS base_fen OFFSET 0
        ) AS now
        LEFT JOIN LATERAL (
            SELECT (array_agg(one.base_fen ORDER BY difference.number DESC))[1] AS base_fen,
                   {", ".join(f"sum(one.{name}_fen)::bigint AS {name}_fen" for name in RATED)}
            FROM difference JOIN difference_line AS one USING (difference_id)
            WHERE difference.bill_id = line.bill_id AND one.person_id = line.person_id
        ) AS prior ON true
        WHERE now.base_fen <> coalesce(prior.base_fen, line.base_fen)
        RETURNING difference_id, {_COLUMNS}
    )
    INSERT INTO difference (difference_id, bill_id, number, employer_id, month, state, person_count, {_COLUMNS},
                            total_fen, terms, policy_version, assess_date)
    SELECT difference_id, bill_id,
           (SELECT coalesce(max(number), 0) + 1 FROM difference WHERE difference.bill_id = bill.bill_id),
           employer_id, bill.month, 'WAITING', sum.persons, {", ".join(f"sum.{name}_fen" for name in RATED)},
           sum.total_fen, terms.terms, ${5 + 2 * len(RATED)}, ${6 + 2 * len(RATED)}
    FROM (
        SELECT difference_id, count(*) AS persons,
               {", ".join(f"sum({name}_fen)::bigint AS {name}_fen" for name in RATED)},
               ({" + ".join(f"sum({name}_fen)" for name in CHARGES)})::bigint AS total_fen
        FROM changed GROUP BY difference_id
    ) AS sum JOIN law USING (difference_id) JOIN bill USING (bill_id)
    JOIN unnest($2::uuid[], ${7 + 2 * len(RATED)}::jsonb[]) AS terms (difference_id, terms) USING (difference_id)
    RETURNING difference_id, bill_id, employer_id, person_count, total_fen, {_CHARGES}
"""  # noqa: S608 - constant text
# Accounts are locked in the order of their persons; one that is settled takes nothing more.
LOCK = """
    SELECT account.person_id FROM account JOIN difference_line USING (person_id)
    WHERE difference_id = $1 AND settle_month IS NULL ORDER BY account.person_id FOR UPDATE OF account
"""
CREDIT = """
    UPDATE account SET balance_fen = balance_fen + account_fen FROM difference_line AS line
    WHERE line.difference_id = $1 AND line.person_id = account.person_id AND settle_month IS NULL
    RETURNING account.person_id, balance_fen, closed_through
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """One person of a difference that took effect; no month where the account takes nothing more."""

    person_id: UUID
    base: Money
    share: Money
    booked: Month | None
    balance: Money


async def provisional_bills(tx: Transaction, first: Month, last: Month) -> Sequence[tuple[UUID, int]]:
    """Bills of some months that were made by provisional limits, with their persons."""
    rows = await tx.fetch(
        "SELECT bill_id, person_count FROM bill WHERE month BETWEEN $1 AND $2 AND provisional ORDER BY bill_id",
        first.first_day,
        last.first_day,
    )
    return [(row["bill_id"], row["person_count"]) for row in rows]


async def lock_bills(tx: Transaction, bill_ids: Sequence[UUID]) -> Mapping[UUID, Terms]:
    """Lock bills in the order of their ids; the law each was made by."""
    rows = await tx.fetch(
        "SELECT bill_id, terms FROM bill WHERE bill_id = ANY($1) ORDER BY bill_id FOR UPDATE", list(bill_ids)
    )
    return {row["bill_id"]: stored_terms.from_plain(row["terms"]) for row in rows}


async def make(
    tx: Transaction,
    bills: Sequence[tuple[UUID, UUID, Terms]],
    rates: Sequence[Mapping[tuple[Scheme, Side], Decimal]],
    account_rates: Sequence[Decimal],
    *,
    policy_version: str,
) -> Sequence[Record]:
    """Make the differences of locked bills: bill, difference and the new terms of each, with its exact rates."""
    limits = [terms.law.limits.on(terms.month.first_day).value for _, _, terms in bills]
    exact = [
        [part for rate in (*(one[charge] for charge in CHARGES.values()), account) for part in rate.as_integer_ratio()]
        for one, account in zip(rates, account_rates, strict=True)
    ]
    return await tx.fetch(
        MAKE,
        [bill_id for bill_id, _, _ in bills],
        [difference_id for _, difference_id, _ in bills],
        [one.floor.fen for one in limits],
        [one.ceiling.fen for one in limits],
        *(list(column) for column in zip(*exact, strict=True)),
        policy_version,
        tx.today,
        [json.dumps(stored_terms.to_plain(terms), ensure_ascii=False) for _, _, terms in bills],
    )


async def waiting(tx: Transaction, bill_id: UUID) -> Sequence[tuple[Difference, bool, date | None]]:
    """Differences of a locked bill that have not taken effect, in order: whether each is paid, and the last day."""
    rows = await tx.fetch(
        """
        SELECT difference.*, demand_id IS NULL OR demand.state = 'PAID' AS is_paid, (
            SELECT max(paid_date) FROM demand_receipt WHERE demand_receipt.demand_id = demand.demand_id
        ) AS paid_date
        FROM difference LEFT JOIN demand USING (difference_id)
        WHERE difference.bill_id = $1 AND difference.state = 'WAITING' ORDER BY number
        """,
        bill_id,
    )
    return [(_difference(row), row["is_paid"], row["paid_date"]) for row in rows]


async def settle(tx: Transaction, one: Difference, day: date) -> Sequence[Taken]:
    """Take a difference to the accounts, in the order of the persons."""
    await tx.fetch(LOCK, one.difference_id)
    accounts = {row["person_id"]: row for row in await tx.fetch(CREDIT, one.difference_id)}
    lines = await tx.fetch(
        "SELECT person_id, base_fen, account_fen FROM difference_line WHERE difference_id = $1 ORDER BY person_id",
        one.difference_id,
    )
    source = f"difference:dif_{one.difference_id.hex}"
    taken, entries = [], []
    for line in lines:
        person_id, share = line["person_id"], Money(line["account_fen"])
        account = accounts.get(person_id)
        booked = booking_month(day, account["closed_through"]) if account else None
        if booked and share != Money.ZERO:
            entries.append((person_id, EntryKind.CONTRIBUTION.value, source, booked.year, booked.first_day, share.fen))
        balance = Money(account["balance_fen"]) if account else Money.ZERO
        taken.append(Taken(person_id, Money(line["base_fen"]), share, booked, balance))
    raw = await tx.raw()
    await raw.copy_records_to_table(
        "account_entry",
        records=entries,
        columns=["person_id", "kind", "source", "year", "booked_month", "amount_fen"],
    )
    return taken


async def close(tx: Transaction, difference_id: UUID, credited: Money, withheld: Money) -> None:
    """Note that a difference took effect."""
    await tx.execute(
        "UPDATE difference SET state = 'SETTLED', credited_fen = $2, withheld_fen = $3 WHERE difference_id = $1",
        difference_id,
        credited.fen,
        withheld.fen,
    )


async def difference(tx: Transaction, difference_id: UUID) -> tuple[Difference, Terms, str] | None:
    """A difference with the law that it was made by and its version."""
    row = await tx.fetchrow("SELECT * FROM difference WHERE difference_id = $1", difference_id)
    return (_difference(row), stored_terms.from_plain(row["terms"]), row["policy_version"]) if row else None


async def lines(tx: Transaction, difference_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Record]:
    """The persons of a difference, in order."""
    total = " + ".join(f"{name}_fen" for name in CHARGES)
    return await tx.fetch(
        f"""
        SELECT person_id, wage_fen, base_before_fen, base_fen, {total} AS total_fen, account_fen FROM difference_line
        WHERE difference_id = $1 AND ($2::uuid IS NULL OR person_id > $2) ORDER BY person_id LIMIT $3
        """,  # noqa: S608 - names of ours
        difference_id,
        after,
        limit,
    )


def _difference(row: Record) -> Difference:
    return Difference(
        difference_id=row["difference_id"],
        bill_id=row["bill_id"],
        employer_id=row["employer_id"],
        month=Month.of(row["month"]),
        charges={name: Money(row[f"{name}_fen"]) for name in CHARGES},
        total=Money(row["total_fen"]),
        is_settled=row["state"] == "SETTLED",
    )
