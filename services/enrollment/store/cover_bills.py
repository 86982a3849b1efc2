"""Bills of one person: a flexible worker's month, a month that is paid back; bills of government posts in set form."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.accounting import ContributionState
from services.enrollment.billing import CHARGES, EMPLOYEE_SCHEMES, PARTS, POST_SCHEMES, Bill, BillKind, BillState, Terms
from services.enrollment.cover_money import BackPayment
from services.enrollment.domain.contributions import BaseLimits, Scheme, Side
from services.enrollment.store import bills, scheme_years
from services.enrollment.store import terms as stored_terms
from services.enrollment.store.assessment import HALF_UP

AMOUNTS = (*CHARGES, "annuity_employer", "annuity_employee")
_COLUMNS = ", ".join(f"{name}_fen" for name in AMOUNTS)
ADD = f"""
    WITH line AS (
        INSERT INTO bill_line (bill_id, person_id, enrollment_id, month, wage_fen, base_fen, account_fen, {_COLUMNS})
        SELECT $1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
        WHERE NOT EXISTS (SELECT 1 FROM contribution_month WHERE person_id = $4 AND month = $6)
        ON CONFLICT DO NOTHING RETURNING 1
    )
    INSERT INTO bill (bill_id, employer_id, payer_id, month, number, state, person_count, {_COLUMNS}, late_fee_fen,
                      total_fen, terms, provisional, policy_version, assess_date, kind)
    SELECT $1, $2, $3, $6,
           (SELECT coalesce(max(number), 0) + 1 FROM bill
            WHERE month = $6 AND (employer_id = $2 OR ($2 IS NULL AND payer_id = $3))),
           'ISSUED', 1, $10, $11, $12, $13, $14, $15, $16, $17::bigint,
           $10 + $11 + $12 + $13 + $14 + $15 + $16 + $17::bigint, $18::jsonb, $19, $20, $21, $22
    FROM line
"""  # noqa: S608 - constant text
OF_MONTH = """
    SELECT bill_id FROM bill_line JOIN bill USING (bill_id, month)
    WHERE person_id = $1 AND month = $2 AND kind = 'FLEXIBLE' AND refund_id IS NULL
"""
TAKEN = """
    SELECT month FROM bill_line WHERE person_id = $1 AND month BETWEEN $2 AND $3 AND refund_id IS NULL
    UNION SELECT month FROM contribution_month WHERE person_id = $1 AND month BETWEEN $2 AND $3 ORDER BY month
"""
WITHDRAW = """
    WITH unpaid AS (
        SELECT bill_id FROM bill WHERE payer_id = $1 AND kind = 'FLEXIBLE' AND month BETWEEN $2 AND $3
          AND paid_fen = 0 AND withdrawn_date IS NULL FOR UPDATE
    ), freed AS (
        UPDATE bill_line SET refund_id = bill_id WHERE bill_id IN (SELECT bill_id FROM unpaid) RETURNING bill_id
    )
    UPDATE bill SET withdrawn_date = $4 WHERE bill_id IN (SELECT bill_id FROM freed)
"""
# The set form of a government body's month; unemployment and work
# injury only where the enrolment names them.
_RATED = ("pension_employer", "pension_employee", "annuity_employer", "annuity_employee")
_MORE = {"unemployment_employer": 210, "unemployment_employee": 210, "injury_employer": 410}
FIRST_RATE = 11


def _rated() -> str:
    texts = []
    for place, name in enumerate((*_RATED, *_MORE)):
        numerator = FIRST_RATE + 2 * place
        amount = HALF_UP.format(base="base_fen", n=f"${numerator}::bigint", d=f"${numerator + 1}::bigint")
        named = f"CASE WHEN {_MORE[name]} = ANY(schemes) THEN {amount} ELSE 0 END" if name in _MORE else amount
        texts.append(f"{named} AS {name}_fen")
    return ", ".join(texts)


_POST_COLUMNS = ", ".join(f"{name}_fen" for name in (*_RATED, *_MORE))
_POST_SUMS = ", ".join(f"sum({name}_fen)::bigint" for name in (*_RATED, *_MORE))
_POST_TOTAL = " + ".join(f"sum({name}_fen)" for name in (*_RATED, *_MORE))
ASSESS_POSTS = f"""
    WITH insured AS MATERIALIZED (
        SELECT part.person_id, part.enrollment_id, wage.wage_fen, least(greatest(wage.wage_fen, $9), $10) AS base_fen,
               (SELECT array_agg(scheme) FROM participation AS other
                WHERE other.enrollment_id = part.enrollment_id) AS schemes
        FROM participation AS part CROSS JOIN LATERAL (
            SELECT wage_fen FROM declared_wage
            WHERE declared_wage.enrollment_id = part.enrollment_id AND from_month <= $3
            ORDER BY from_month DESC LIMIT 1
        ) AS wage
        WHERE part.employer_id = $2 AND part.scheme = 120
          AND part.start_month <= $3 AND (part.end_month IS NULL OR part.end_month >= $3)
          AND NOT EXISTS (
              SELECT 1 FROM bill_line WHERE person_id = part.person_id AND month = $3 AND refund_id IS NULL OFFSET 0)
          AND NOT EXISTS (SELECT 1 FROM contribution_month WHERE person_id = part.person_id AND month = $3 OFFSET 0)
          AND NOT EXISTS (
              SELECT 1 FROM suspension WHERE relation_id = part.enrollment_id AND from_month <= $3
                  AND (until_month IS NULL OR until_month >= $3) OFFSET 0)
    ), amounts AS (
        SELECT person_id, enrollment_id, wage_fen, base_fen, {_rated()} FROM insured
    ), line AS (
        INSERT INTO bill_line (bill_id, person_id, enrollment_id, month, wage_fen, base_fen, account_fen,
                               {_POST_COLUMNS})
        SELECT $1, person_id, enrollment_id, $3, wage_fen, base_fen, pension_employee_fen, {_POST_COLUMNS}
        FROM amounts ORDER BY person_id RETURNING {_POST_COLUMNS}
    )
    INSERT INTO bill (bill_id, employer_id, month, number, state, person_count, {_POST_COLUMNS}, total_fen, terms,
                      provisional, policy_version, assess_date, kind)
    SELECT $1, $2, $3, (SELECT coalesce(max(number), 0) + 1 FROM bill WHERE employer_id = $2 AND month = $3), $4,
           count(*), {_POST_SUMS}, ({_POST_TOTAL})::bigint, $5::jsonb, $6, $7, $8, 'GOVERNMENT'
    FROM line HAVING count(*) > 0
"""  # noqa: S608 - constant text
CREDIT_POSTS = """
    WITH part AS (
        SELECT person_id, one.scheme, one.part, one.fen,
               CASE one.scheme WHEN 120 THEN $3::date ELSE $4::date END AS month
        FROM bill_line CROSS JOIN LATERAL (VALUES
            (120::smallint, 'EMPLOYEE', account_fen), (9012::smallint, 'EMPLOYEE', annuity_employee_fen),
            (9012::smallint, 'EMPLOYER', annuity_employer_fen)
        ) AS one (scheme, part, fen) WHERE bill_id = $1
    ), account AS (
        INSERT INTO scheme_account AS mine (person_id, scheme, balance_fen)
        SELECT person_id, scheme, sum(fen) FROM part GROUP BY person_id, scheme ORDER BY person_id, scheme
        ON CONFLICT (person_id, scheme) DO UPDATE SET balance_fen = mine.balance_fen + excluded.balance_fen
    )
    INSERT INTO scheme_account_entry (person_id, scheme, part, source, booked_month, amount_fen)
    SELECT person_id, scheme, part, $2, month, fen FROM part
"""


@dataclass(frozen=True, slots=True)
class NewBill:
    """A bill with one line, to be stored."""

    kind: BillKind
    employer_id: UUID | None
    payer_id: UUID | None
    person_id: UUID
    relation_id: UUID
    terms: Terms
    wage: Money
    base: Money
    account: Money
    statement: Statement
    late_fee: Money
    policy_version: str

    @property
    def amounts(self) -> Mapping[str, Money]:
        """The amounts by column, from the lines of the statement."""
        parts = PARTS[self.kind]
        lines = {line.code: line.amount for line in self.statement.lines}
        return {
            name: lines.get("{}.{}".format(*parts[name]), Money.ZERO) if name in parts else Money.ZERO
            for name in AMOUNTS
        }


async def add(tx: Transaction, new: NewBill) -> UUID | None:
    """Store a bill with its one line; None when the person-month is billed or paid already."""
    bill_id = ids.new_id()
    amounts = new.amounts
    made = await tx.execute(
        ADD,
        bill_id,
        new.employer_id,
        new.payer_id,
        new.person_id,
        new.relation_id,
        new.terms.month.first_day,
        new.wage.fen,
        new.base.fen,
        new.account.fen,
        *(amounts[name].fen for name in AMOUNTS),
        new.late_fee.fen,
        json.dumps(stored_terms.to_plain(new.terms), ensure_ascii=False),
        new.statement.provisional,
        new.policy_version,
        tx.today,
        new.kind.value,
    )
    return bill_id if made else None


async def flexible_bill(tx: Transaction, person_id: UUID, month: Month) -> Bill | None:
    """The bill of a flexible worker for a month, paid or not."""
    row = await tx.fetchrow(OF_MONTH, person_id, month.first_day)
    return await bills.bill(tx, row["bill_id"]) if row else None


async def taken_months(tx: Transaction, person_id: UUID, first: Month, last: Month) -> Sequence[Month]:
    """Months between two that stand on a bill or were paid, in order."""
    return [Month.of(row["month"]) for row in await tx.fetch(TAKEN, person_id, first.first_day, last.first_day)]


async def withdraw(tx: Transaction, person_id: UUID, first: Month, last: Month) -> int:
    """Withdraw the bills of a flexible worker between two months on which nothing was paid; how many."""
    return await tx.execute(WITHDRAW, person_id, first.first_day, last.first_day, tx.today)


async def assess_posts(
    tx: Transaction,
    employer_id: UUID,
    terms: Terms,
    *,
    rates: Mapping[tuple[Scheme, Side], Decimal],
    limits: BaseLimits,
    provisional: bool,
    policy_version: str,
) -> bool:
    """Make a government body's bill for everybody who is insured and not yet billed; False when there is nobody."""
    parts = PARTS[BillKind.GOVERNMENT]
    exact = [rates.get(parts[name], Decimal(0)) for name in (*_RATED, *_MORE)]
    made = await tx.execute(
        ASSESS_POSTS,
        ids.new_id(),
        employer_id,
        terms.month.first_day,
        BillState.ISSUED,
        json.dumps(stored_terms.to_plain(terms), ensure_ascii=False),
        provisional,
        policy_version,
        tx.today,
        limits.floor.fen,
        limits.ceiling.fen,
        *(part for rate in exact for part in rate.as_integer_ratio()),
    )
    return made == 1


async def named_schemes(tx: Transaction, employer_id: UUID, month: Month) -> set[int]:
    """Codes of the schemes that the enrolments of a government body name in a month."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT scheme FROM participation
        WHERE employer_id = $1 AND start_month <= $2 AND (end_month IS NULL OR end_month >= $2)
        """,
        employer_id,
        month.first_day,
    )
    return {row["scheme"] for row in rows}


async def settle_posts(
    tx: Transaction, bill: Bill, source: str, booked: Month
) -> Sequence[tuple[UUID, Mapping[Scheme, tuple[Money, ContributionState]]]]:
    """Turn the lines of a paid bill into contribution months and credits of both accounts; who has which schemes."""
    await tx.execute(bills.CONTRIBUTE, bill.bill_id)
    months = [await scheme_years.booking_month(tx, scheme, booked) for scheme in POST_SCHEMES]
    await tx.execute(CREDIT_POSTS, bill.bill_id, source, *(month.first_day for month in months))
    lines = await bills.lines(tx, bill.bill_id, after=None, limit=bill.person_count)
    return [(line.person_id, dict.fromkeys(line.schemes, (line.base, ContributionState.PAID))) for line in lines]


async def late_fees(tx: Transaction, bill: Bill) -> Mapping[Scheme, Money]:
    """The late fee of a back payment by scheme; nothing on other bills."""
    if bill.kind is not BillKind.BACK_PAYMENT:
        return {}
    row = await tx.fetchrow("SELECT * FROM back_payment_bill WHERE bill_id = $1", bill.bill_id)
    assert row is not None
    names = ("pension_fee_fen", "unemployment_fee_fen", "injury_fee_fen")
    return {scheme: Money(row[name]) for scheme, name in zip(EMPLOYEE_SCHEMES, names, strict=True)}


async def add_back_payment(
    tx: Transaction,
    one: BackPayment,
    *,
    enrollment_id: UUID,
    person_id: UUID,
    wage: Money,
    document_ref: str,
    months: tuple[Month, Month],
    fees: Mapping[UUID, Mapping[Scheme, Money]],
    policy_version: str,
) -> None:
    """Store a back payment and the fees on its bills."""
    await tx.execute(
        """
        INSERT INTO back_payment (back_payment_id, enrollment_id, person_id, first_month, last_month, wage_fen,
                                  document_ref, statement, policy_version, assess_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10)
        """,
        one.back_payment_id,
        enrollment_id,
        person_id,
        months[0].first_day,
        months[1].first_day,
        wage.fen,
        document_ref,
        one.statement.canonical(),
        policy_version,
        tx.today,
    )
    await tx.execute(
        """
        INSERT INTO back_payment_bill (bill_id, back_payment_id, pension_fee_fen, unemployment_fee_fen, injury_fee_fen)
        SELECT one.bill_id, $1, one.pension, one.unemployment, one.injury
        FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[])
            AS one (bill_id, pension, unemployment, injury)
        """,
        one.back_payment_id,
        list(fees),
        *([fee[scheme].fen for fee in fees.values()] for scheme in EMPLOYEE_SCHEMES),
    )
