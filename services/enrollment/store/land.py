"""Farmers whose land is taken: lists, their money, and what each farmer's money paid."""

from datetime import date
from uuid import UUID

from chassis.transaction import Transaction
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.store import receipt_numbers
from services.enrollment.support import LandBatch, LandEntry, LandFund

BATCH = """
    SELECT land_batch.*, share.* FROM land_batch, LATERAL (
        SELECT count(*) AS listed, coalesce(sum(amount_fen), 0)::bigint AS owed_fen,
               count(*) FILTER (WHERE EXISTS (
                   SELECT FROM participation AS part
                   WHERE part.person_id = land_share.person_id AND part.end_month IS NULL
                     AND part.scheme IN (110, 120, 170) OFFSET 0)) AS insured
        FROM land_share WHERE land_share.batch_id = land_batch.batch_id
    ) AS share WHERE land_batch.batch_id = $1
"""
CREDIT = """
    WITH share AS (
        SELECT person_id, amount_fen FROM land_share WHERE batch_id = $1
    ), account AS (
        INSERT INTO land_account AS mine (person_id, balance_fen) SELECT * FROM share ORDER BY person_id
        ON CONFLICT (person_id) DO UPDATE SET balance_fen = mine.balance_fen + excluded.balance_fen
    )
    INSERT INTO land_entry (person_id, source, target, amount_fen, booked_date)
    SELECT person_id, $2, '', amount_fen, $3 FROM share
"""


async def add_batch(tx: Transaction, one: LandBatch) -> bool:
    """Store a list; False when the notice has this part."""
    return (
        await tx.execute(
            """
            INSERT INTO land_batch (batch_id, notice_no, part_no, division, notice_date, headcount)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (notice_no, part_no) DO NOTHING
            """,
            one.batch_id,
            one.notice_no,
            one.part_no,
            one.division,
            one.notice_date,
            one.headcount,
        )
        == 1
    )


async def batch(tx: Transaction, batch_id: UUID, *, lock: bool = False) -> LandBatch | None:
    """A list with how many stand on it and how many of them are insured; locked on demand."""
    if lock:
        await tx.fetchrow("SELECT 1 FROM land_batch WHERE batch_id = $1 FOR UPDATE", batch_id)
    row = await tx.fetchrow(BATCH, batch_id)
    if row is None:
        return None
    return LandBatch(
        batch_id=row["batch_id"],
        notice_no=row["notice_no"],
        part_no=row["part_no"],
        division=row["division"],
        notice_date=row["notice_date"],
        headcount=row["headcount"],
        listed=row["listed"],
        insured=row["insured"],
        owed=Money(row["owed_fen"]),
        receipt_no=row["receipt_no"] or "",
        paid_date=row["paid_date"],
    )


async def add_share(tx: Transaction, batch_id: UUID, person_id: UUID, statement: Statement, version: str) -> bool:
    """Put a farmer on a locked list; False when they stand on it."""
    return (
        await tx.execute(
            """
            INSERT INTO land_share (batch_id, person_id, amount_fen, statement, policy_version)
            VALUES ($1, $2, $3, $4::jsonb, $5) ON CONFLICT DO NOTHING
            """,
            batch_id,
            person_id,
            statement.total.fen,
            statement.canonical(),
            version,
        )
        == 1
    )


async def receive(
    tx: Transaction, batch_id: UUID, receipt_no: str, amount: Money, paid_date: date, *, simulated: bool
) -> bool:
    """Note the money of a locked list; False when its number was used."""
    if not await receipt_numbers.take(tx, receipt_no, "land_batch"):
        return False
    return (
        await tx.execute(
            """
            UPDATE land_batch SET receipt_no = $2, received_fen = $3, paid_date = $4, simulated = $5
            WHERE batch_id = $1
            """,
            batch_id,
            receipt_no,
            amount.fen,
            paid_date,
            simulated,
        )
        == 1
    )


async def credit(tx: Transaction, batch_id: UUID, source: str, day: date) -> None:
    """Credit every farmer of a list."""
    await tx.execute(CREDIT, batch_id, source, day)


async def balance(tx: Transaction, person_id: UUID) -> Money:
    """What is left of a farmer's money, locked."""
    row = await tx.fetchrow("SELECT balance_fen FROM land_account WHERE person_id = $1 FOR UPDATE", person_id)
    return Money(row["balance_fen"]) if row else Money.ZERO


async def use(tx: Transaction, person_id: UUID, source: str, target: str, amount: Money) -> None:
    """Take an amount from a farmer's locked money."""
    await tx.execute(
        "UPDATE land_account SET balance_fen = balance_fen - $2 WHERE person_id = $1", person_id, amount.fen
    )
    await tx.execute(
        """
        INSERT INTO land_entry (person_id, source, target, amount_fen, booked_date) VALUES ($1, $2, $3, $4, $5)
        """,
        person_id,
        source,
        target,
        -amount.fen,
        tx.today,
    )


async def fund(tx: Transaction, person_id: UUID) -> LandFund:
    """A farmer's money with its entries, newest first; nothing where there is none."""
    rows = await tx.fetch(
        "SELECT * FROM land_entry WHERE person_id = $1 ORDER BY booked_date DESC, created DESC, source", person_id
    )
    entries = [LandEntry(row["source"], row["target"], Money(row["amount_fen"]), row["booked_date"]) for row in rows]
    return LandFund(person_id, Money.total(one.amount for one in entries), entries)
