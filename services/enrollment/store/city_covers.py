"""Runs of a month over government posts and flexible workers: which there are, who is due, bills in set form."""

import json
from collections.abc import Sequence
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.billing import PARTS, BillKind
from services.enrollment.city import BillRun, Part, Tariff, Totals
from services.enrollment.domain.contributions import Scheme, Side
from services.enrollment.store import terms as stored_terms
from services.enrollment.store.assessment import HALF_UP
from services.enrollment.store.cover_bills import AMOUNTS

_CHARGED = ", ".join(f"{name}_fen" for name in AMOUNTS)
_SUMS = ", ".join(f"coalesce(sum({name}_fen), 0)::bigint AS {name}_fen" for name in AMOUNTS)
FIND = f"""
    SELECT run_id, month, kind, job_id, policy_version, assess_date, part.* FROM cover_run, LATERAL (
        SELECT coalesce(sum(bill_count), 0)::bigint AS bill_count,
               coalesce(sum(person_count), 0)::bigint AS person_count, {_SUMS}
        FROM cover_run_part WHERE cover_run_part.run_id = cover_run.run_id
    ) AS part
    WHERE month = $1 AND kind = $2
"""  # noqa: S608 - constant text
ADD_PART = f"""
    INSERT INTO cover_run_part (run_id, chunk, bill_count, person_count, {_CHARGED})
    VALUES ($1, $2, $3, $4, {", ".join(f"${place}" for place in range(5, 5 + len(AMOUNTS)))})
"""  # noqa: S608 - constant text
# Payers in the order of their ids, cut where the sum of the persons before passes the next multiple of the size.
_PARTS = """
    SELECT (array_agg(payer ORDER BY payer))[1] AS first, (array_agg(payer ORDER BY payer DESC))[1] AS last,
           sum(persons)::bigint AS person_count
    FROM (
        SELECT payer, persons, (sum(persons) OVER (ORDER BY payer) - persons)::bigint / $2::bigint AS chunk
        FROM ({payers}) AS due
    ) AS numbered GROUP BY chunk ORDER BY chunk
"""
POST_PARTS = _PARTS.format(
    payers="""
        SELECT employer_id AS payer, count(*) AS persons FROM participation
        WHERE scheme = 120 AND employer_id IS NOT NULL AND start_month <= $1
          AND (end_month IS NULL OR end_month >= $1)
        GROUP BY employer_id
    """
)
FLEXIBLE_PARTS = _PARTS.format(
    payers="""
        SELECT DISTINCT person_id AS payer, 1 AS persons FROM cover
        WHERE kind = 'FLEXIBLE' AND start_month <= $1 AND (end_month IS NULL OR end_month >= $1)
    """
)
LOCK_POSTS = """
    SELECT employer_id FROM employer WHERE employer_id BETWEEN $1 AND $2 AND kind = 'GOVERNMENT'
    ORDER BY employer_id FOR NO KEY UPDATE
"""
# Everything that bills, ends, rests or refunds a cover locks its person first; so does the run, in their order.
LOCK_FLEXIBLE = """
    WITH locked AS MATERIALIZED (
        SELECT person_id, retirement_month FROM person WHERE person_id BETWEEN $1 AND $2 AND EXISTS (
            SELECT FROM cover WHERE cover.person_id = person.person_id AND kind = 'FLEXIBLE' AND start_month <= $3
                AND (end_month IS NULL OR end_month >= $3))
        ORDER BY person_id FOR UPDATE
    )
    SELECT count(*) AS persons FROM locked
"""
# What `cover_months.assess_cover_bill` asks of one person, of all of a range; the ids are made by the service.
DUE = """
    SELECT cover_id FROM cover JOIN person USING (person_id)
    WHERE person_id BETWEEN $1 AND $2 AND kind = 'FLEXIBLE' AND cover.start_month <= $3
      AND (cover.end_month IS NULL OR cover.end_month >= $3) AND retirement_month IS NULL
      AND NOT EXISTS (
          SELECT FROM suspension WHERE relation_id = cover_id AND from_month <= $3
              AND (until_month IS NULL OR until_month >= $3) OFFSET 0)
      AND NOT EXISTS (
          SELECT FROM employment WHERE employment.person_id = cover.person_id AND employment.start_month <= $3
              AND (employment.end_month IS NULL OR employment.end_month >= $3) OFFSET 0)
      AND NOT EXISTS (
          SELECT FROM bill_line WHERE bill_line.person_id = cover.person_id AND month = $3 AND refund_id IS NULL
          OFFSET 0)
      AND NOT EXISTS (
          SELECT FROM contribution_month AS paid WHERE paid.person_id = cover.person_id AND month = $3 OFFSET 0)
    ORDER BY person_id, cover.start_month DESC, cover_id
"""
ASSESS_FLEXIBLE = f"""
    WITH due AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS one (cover_id, bill_id)
    ), insured AS MATERIALIZED (
        SELECT bill_id, person_id, cover_id, chosen.base_fen AS wage_fen,
               least(greatest(chosen.base_fen, $4), $5) AS base_fen
        FROM due JOIN cover USING (cover_id) CROSS JOIN LATERAL (
            SELECT base_fen FROM cover_base WHERE cover_base.cover_id = cover.cover_id AND from_month <= $3
            ORDER BY from_month DESC LIMIT 1
        ) AS chosen
    ), line AS (
        INSERT INTO bill_line (bill_id, person_id, enrollment_id, month, wage_fen, base_fen, account_fen, {_CHARGED})
        SELECT bill_id, person_id, cover_id, $3, wage_fen, base_fen,
               {HALF_UP.format(base="base_fen", n="$8::bigint", d="$9::bigint")},
               0, {HALF_UP.format(base="base_fen", n="$6::bigint", d="$7::bigint")}, 0, 0, 0, 0, 0
        FROM insured ORDER BY bill_id
        ON CONFLICT DO NOTHING RETURNING bill_id, person_id, pension_employee_fen
    )
    INSERT INTO bill (bill_id, payer_id, month, number, state, person_count, {_CHARGED}, total_fen, terms, provisional,
                      policy_version, assess_date, kind)
    SELECT bill_id, person_id, $3,
           (SELECT coalesce(max(number), 0) + 1 FROM bill WHERE payer_id = line.person_id AND month + 0 = $3),
           'ISSUED', 1, 0, pension_employee_fen, 0, 0, 0, 0, 0, pension_employee_fen, $10::jsonb, $11, $12, $13,
           'FLEXIBLE'
    FROM line RETURNING pension_employee_fen AS fen
"""  # noqa: S608 - constant text


async def add(tx: Transaction, run: BillRun) -> bool:
    """Store a run; False when the month has one of this kind, also one that is being started now."""
    return (
        await tx.execute(
            """
            INSERT INTO cover_run (run_id, month, kind, job_id, policy_version, assess_date)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (month, kind) DO NOTHING
            """,
            run.run_id,
            run.month.first_day,
            run.totals.kind.value,
            run.job_id,
            run.policy_version,
            run.assess_date,
        )
        == 1
    )


async def find(tx: Transaction, month: Month, kind: BillKind) -> BillRun | None:
    """The run of a month with what it made so far."""
    row = await tx.fetchrow(FIND, month.first_day, kind.value)
    if row is None:
        return None
    charges = {name: Money(row[f"{name}_fen"]) for name in PARTS[kind]}
    return BillRun(
        run_id=row["run_id"],
        month=Month.of(row["month"]),
        job_id=row["job_id"],
        assess_date=row["assess_date"],
        policy_version=row["policy_version"],
        totals=Totals(row["bill_count"], row["person_count"], charges, kind),
    )


async def parts(tx: Transaction, month: Month, kind: BillKind, size: int) -> Sequence[Part]:
    """Ranges of payers that are insured in a month, each of about so many persons, in order."""
    query = POST_PARTS if kind is BillKind.GOVERNMENT else FLEXIBLE_PARTS
    rows = await tx.fetch(query, month.first_day, size)
    return [Part(row["first"], row["last"], row["person_count"]) for row in rows]


async def lock_posts(tx: Transaction, first: UUID, last: UUID) -> Sequence[UUID]:
    """The government bodies of a range, locked in order until this commits."""
    return [row["employer_id"] for row in await tx.fetch(LOCK_POSTS, first, last)]


async def assess_flexible(
    tx: Transaction, first: UUID, last: UUID, tariff: Tariff, *, policy_version: str
) -> Sequence[Money]:
    """Bill every flexible worker of a range who is insured in the month and not billed; the totals of the bills."""
    month = tariff.terms.month.first_day
    await tx.fetchrow(LOCK_FLEXIBLE, first, last, month)
    due = [row["cover_id"] for row in await tx.fetch(DUE, first, last, month)]
    if not due:
        return []
    rates = (tariff.rates[Scheme.EMPLOYEE_PENSION, Side.FLEXIBLE], tariff.account_rate)
    rows = await tx.fetch(
        ASSESS_FLEXIBLE,
        due,
        [ids.new_id() for _ in due],
        month,
        tariff.limits.floor.fen,
        tariff.limits.ceiling.fen,
        *(part for rate in rates for part in rate.as_integer_ratio()),
        json.dumps(stored_terms.to_plain(tariff.terms), ensure_ascii=False),
        tariff.provisional,
        policy_version,
        tx.today,
    )
    return [Money(row["fen"]) for row in rows]


async def add_part(tx: Transaction, run_id: UUID, chunk: int, totals: Totals) -> None:
    """Note what a chunk made."""
    charges = (totals.charges.get(name, Money.ZERO).fen for name in AMOUNTS)
    await tx.execute(ADD_PART, run_id, chunk, totals.bill_count, totals.person_count, *charges)
