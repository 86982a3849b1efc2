"""Money of residents, accounts beside that of the employee pension, and what was paid twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.cover import CoverKind
from services.enrollment.cover_money import AccountEntry, ResidentPayment, SchemeAccount
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEME_CODES, SCHEMES
from services.enrollment.store import receipt_numbers, scheme_years

# Months that a flexible worker paid and that an employment covers: the employment is the duty, so its month counts.
PAID_TWICE = """
    SELECT line.month, line.bill_id, line.base_fen, line.pension_employee_fen, entry.amount_fen AS account_fen,
           entry.year, entry.booked_month
    FROM bill_line AS line JOIN bill USING (bill_id, month)
    LEFT JOIN account_entry AS entry ON entry.person_id = line.person_id AND entry.kind = 'CONTRIBUTION'
        AND entry.source = 'bill:bil_' || replace(line.bill_id::text, '-', '')
    WHERE line.person_id = $1 AND bill.kind = 'FLEXIBLE' AND bill.state = 'PAID' AND line.refund_id IS NULL
      AND EXISTS (
          SELECT 1 FROM employment WHERE employment.person_id = line.person_id AND start_month <= line.month
              AND (end_month IS NULL OR end_month >= line.month)
              AND NOT EXISTS (SELECT 1 FROM suspension WHERE relation_id = enrollment_id AND from_month <= line.month
                                  AND (until_month IS NULL OR until_month >= line.month)))
    ORDER BY line.month
"""
FREE = "UPDATE bill_line SET refund_id = $2 WHERE person_id = $1 AND bill_id = ANY($3)"


@dataclass(frozen=True, slots=True)
class DoubleMonth:
    """A month that a flexible worker paid while employed."""

    month: Month
    bill_id: UUID
    base: Money
    paid: Money
    account: Money
    booked: Month | None  # none where the account was settled and took nothing


async def add_payment(tx: Transaction, one: ResidentPayment) -> bool:
    """Store an assessed payment; False when the year has one."""
    return (
        await tx.execute(
            """
            INSERT INTO resident_payment (payment_id, cover_id, person_id, year, tier_fen, subsidy_fen, aid_fen,
                                          statement, policy_version, assess_date)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10) ON CONFLICT (person_id, year) DO NOTHING
            """,
            one.payment_id,
            one.cover_id,
            one.person_id,
            one.year,
            one.tier.fen,
            one.subsidy.fen,
            one.aid.fen,
            one.statement.canonical(),
            one.policy_version,
            tx.today,
        )
        == 1
    )


async def lock_payment(tx: Transaction, payment_id: UUID) -> ResidentPayment | None:
    """A payment, locked for its receipt; its person comes first, as everywhere."""
    await tx.fetchrow(
        "SELECT 1 FROM person JOIN resident_payment USING (person_id) WHERE payment_id = $1 FOR UPDATE OF person",
        payment_id,
    )
    row = await tx.fetchrow("SELECT * FROM resident_payment WHERE payment_id = $1 FOR UPDATE", payment_id)
    return _payment(row) if row else None


async def payments(tx: Transaction, person_id: UUID) -> Sequence[ResidentPayment]:
    """The payments of a person, oldest first."""
    rows = await tx.fetch("SELECT * FROM resident_payment WHERE person_id = $1 ORDER BY year", person_id)
    return [_payment(row) for row in rows]


async def refunded_months(tx: Transaction, person_id: UUID) -> Mapping[int, int]:
    """Months already paid back, by year of a payment that the person made: what others paid never goes to them."""
    rows = await tx.fetch(
        """
        SELECT year, refunded_months FROM resident_payment
        WHERE person_id = $1 AND paid_date IS NOT NULL AND aid_run_id IS NULL
        """,
        person_id,
    )
    return {row["year"]: row["refunded_months"] for row in rows}


async def employee_months(tx: Transaction, person_id: UUID, years: Sequence[int]) -> Sequence[Month]:
    """Months of some years that were paid in the employee or the government scheme."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT month FROM contribution_month WHERE person_id = $1 AND scheme IN (110, 120) AND state = 'PAID'
          AND extract(year FROM month)::integer = ANY($2)
        """,
        person_id,
        list(years),
    )
    return [Month.of(row["month"]) for row in rows]


async def pay(tx: Transaction, payment_id: UUID, receipt_no: str, paid_date: date, *, simulated: bool) -> bool:
    """Note the receipt of a locked payment; False when its number was used."""
    if not await receipt_numbers.take(tx, receipt_no, "resident_payment"):
        return False
    return (
        await tx.execute(
            """
            UPDATE resident_payment SET receipt_no = $2, paid_date = $3, simulated = $4 WHERE payment_id = $1
            """,
            payment_id,
            receipt_no,
            paid_date,
            simulated,
        )
        == 1
    )


async def book(
    tx: Transaction, person_id: UUID, scheme: Scheme, parts: Mapping[str, Money], *, source: str, month: Month
) -> None:
    """Book parts on an account, opened when there is none; parts of zero are none.

    What belongs to a year that is closed is booked in the January after it.
    """
    moved = {part: amount for part, amount in parts.items() if amount != Money.ZERO}
    total = Money.total(moved.values())
    month = await scheme_years.booking_month(tx, scheme, month)
    await tx.execute(
        """
        INSERT INTO scheme_account AS mine (person_id, scheme, balance_fen) VALUES ($1, $2, $3)
        ON CONFLICT (person_id, scheme) DO UPDATE SET balance_fen = mine.balance_fen + excluded.balance_fen
        """
        if total > Money.ZERO
        else "UPDATE scheme_account SET balance_fen = balance_fen + $3 WHERE person_id = $1 AND scheme = $2",
        person_id,
        SCHEME_CODES[scheme],
        total.fen,
    )
    await tx.execute(
        """
        INSERT INTO scheme_account_entry (person_id, scheme, part, source, booked_month, amount_fen)
        SELECT $1, $2, one.part, $3, $4, one.fen FROM unnest($5::text[], $6::bigint[]) AS one (part, fen)
        """,
        person_id,
        SCHEME_CODES[scheme],
        source,
        month.first_day,
        list(moved),
        [amount.fen for amount in moved.values()],
    )


async def scheme_accounts(tx: Transaction, person_id: UUID) -> Sequence[SchemeAccount]:
    """The accounts of a person beside that of the employee pension."""
    accounts = await tx.fetch("SELECT * FROM scheme_account WHERE person_id = $1 ORDER BY scheme", person_id)
    entries = await tx.fetch(
        "SELECT * FROM scheme_account_entry WHERE person_id = $1 ORDER BY booked_month DESC, source DESC, part",
        person_id,
    )
    return [
        SchemeAccount(
            SCHEMES[account["scheme"]],
            Money(account["balance_fen"]),
            [
                AccountEntry(one["part"], one["source"], Month.of(one["booked_month"]), Money(one["amount_fen"]))
                for one in entries
                if one["scheme"] == account["scheme"]
            ],
        )
        for account in accounts
    ]


async def paid_twice(tx: Transaction, person_id: UUID) -> Sequence[DoubleMonth]:
    """Months that a flexible worker paid and that an employment covers, in order."""
    return [
        DoubleMonth(
            month=Month.of(row["month"]),
            bill_id=row["bill_id"],
            base=Money(row["base_fen"]),
            paid=Money(row["pension_employee_fen"]),
            account=Money(row["account_fen"] or 0),
            booked=Month.of(row["booked_month"]) if row["booked_month"] else None,
        )
        for row in await tx.fetch(PAID_TWICE, person_id)
    ]


async def lock_account(tx: Transaction, person_id: UUID) -> tuple[int | None, bool, Money]:
    """The last closed year of the employee account, whether it is settled, and its balance; locked."""
    row = await tx.fetchrow(
        "SELECT closed_through, settle_month, balance_fen FROM account WHERE person_id = $1 FOR UPDATE", person_id
    )
    if row is None:
        return None, False, Money.ZERO
    return row["closed_through"], row["settle_month"] is not None, Money(row["balance_fen"])


async def add_refund(
    tx: Transaction,
    refund_id: UUID,
    person_id: UUID,
    kind: CoverKind,
    statement: Statement,
    *,
    account: Money,
    policy_version: str,
) -> None:
    """Store a refund with its statement."""
    await tx.execute(
        """
        INSERT INTO overlap_refund (refund_id, person_id, kind, amount_fen, account_fen, statement, policy_version,
                                    refund_date)
        VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8)
        """,
        refund_id,
        person_id,
        kind.value,
        statement.total.fen,
        account.fen,
        statement.canonical(),
        policy_version,
        tx.today,
    )


async def take_back(
    tx: Transaction, person_id: UUID, refund_id: UUID, months: Sequence[DoubleMonth], source: str
) -> None:
    """Free the months of their bills, take them out of the contributions and their shares out of the account."""
    await tx.execute(FREE, person_id, refund_id, [one.bill_id for one in months])
    await tx.fetchrow("SELECT refund_contributions($1)", refund_id)
    shares = [one for one in months if one.booked is not None]
    await tx.execute(
        """
        INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
        SELECT $1, 'CONTRIBUTION', $2 || ':' || to_char(one.month, 'YYYY-MM'),
               extract(year FROM one.booked)::integer, one.booked, -one.fen
        FROM unnest($3::date[], $4::date[], $5::bigint[]) AS one (month, booked, fen)
        """,
        person_id,
        source,
        [one.month.first_day for one in shares],
        [one.booked.first_day for one in shares if one.booked is not None],
        [one.account.fen for one in shares],
    )
    await tx.execute(
        "UPDATE account SET balance_fen = balance_fen - $2 WHERE person_id = $1",
        person_id,
        Money.total(one.account for one in shares).fen,
    )


async def note_resident_refund(
    tx: Transaction, person_id: UUID, refund_id: UUID, years: Mapping[int, tuple[int, Money]]
) -> None:
    """Note on the payments what went back: months and amount by year."""
    await tx.execute(
        """
        UPDATE resident_payment SET refund_id = $2, refunded_fen = refunded_fen + one.fen,
               refunded_months = refunded_months + one.months
        FROM unnest($3::integer[], $4::integer[], $5::bigint[]) AS one (year, months, fen)
        WHERE person_id = $1 AND resident_payment.year = one.year
        """,
        person_id,
        refund_id,
        list(years),
        [months for months, _ in years.values()],
        [amount.fen for _, amount in years.values()],
    )


def _payment(row: Any) -> ResidentPayment:
    return ResidentPayment(
        payment_id=row["payment_id"],
        cover_id=row["cover_id"],
        person_id=row["person_id"],
        year=row["year"],
        tier=Money(row["tier_fen"]),
        subsidy=Money(row["subsidy_fen"]),
        aid=Money(row["aid_fen"]),
        statement=Statement.from_plain(row["statement"]),
        policy_version=row["policy_version"],
        paid_date=row["paid_date"],
        refunded=Money(row["refunded_fen"]),
        is_on_behalf=row["aid_run_id"] is not None,
    )
