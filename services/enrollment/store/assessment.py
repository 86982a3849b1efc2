"""Making bills: one statement for one employer and for thousands of them, so that both give the same fen.

The rates come as a small relation, one row for each industry class and float step among the employers; amounts are
half-up in integers, the set form of `domain.contributions.contribute`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.money import Money
from services.enrollment.billing import CHARGES, BillState
from services.enrollment.city import Tariff, Totals
from services.enrollment.store import terms as stored_terms

# rate = numerator / denominator, both exact, so (2 × base × numerator + denominator) ÷ (2 × denominator) rounds down
# to what half-up gives. A property test compares with the law, person by person.
HALF_UP = "(2 * {base} * {n} + {d}) / (2 * {d})"
RATED = (*CHARGES, "account")
FIRST_RATE = 12  # parameters before are the run's own

_AMOUNTS = ", ".join(f"{HALF_UP.format(base='base_fen', n=f'{name}_n', d=f'{name}_d')} AS {name}_fen" for name in RATED)
_RATES = ", ".join(f"{name}_n, {name}_d" for name in RATED)
_RATE_ARRAYS = ", ".join(f"${FIRST_RATE + place}::bigint[]" for place in range(2 * len(RATED)))
_COLUMNS = ", ".join(f"{name}_fen" for name in RATED)
_CHARGED = ", ".join(f"{name}_fen" for name in CHARGES)
_SUMS = ", ".join(f"sum({name}_fen)::bigint AS {name}_fen" for name in CHARGES)
_TOTAL = " + ".join(f"{name}_fen" for name in CHARGES)
_ALL = ", ".join(f"coalesce(sum({name}_fen), 0)::bigint AS {name}_fen" for name in CHARGES)

# Whoever is insured in the month and not yet billed or brought in for it; a bill appears only where there is somebody.
# LATERAL with OFFSET 0 keeps each look a probe of an index, and MATERIALIZED keeps them before the first insert: where
# nothing is analysed yet, the planner joined by month alone and read the growing table 20,000 times (16 s, not 0.2 s),
# and a chunk of a city must never read the city. `month + 0` asks for the bills of the employer: by a month that no
# statistics know yet the planner read every bill that the run had made (ten times the persons took 50 times as long).
# Lines are inserted bill by bill, which is the order of their key.
ASSESS = f"""
    WITH tariff AS MATERIALIZED (
        SELECT * FROM unnest($10::jsonb[], $11::boolean[], {_RATE_ARRAYS})
            WITH ORDINALITY AS one (terms, provisional, {_RATES}, place)
    ), billed AS MATERIALIZED (
        SELECT * FROM unnest($7::uuid[], $8::uuid[], $9::bigint[]) AS one (employer_id, bill_id, place)
    ), insured AS MATERIALIZED (
        SELECT billed.bill_id, billed.place, part.person_id, part.enrollment_id, wage.wage_fen,
               least(greatest(wage.wage_fen, $2), $3) AS base_fen
        FROM billed CROSS JOIN LATERAL (
            SELECT person_id, enrollment_id FROM participation
            WHERE employer_id = billed.employer_id AND scheme = 110
              AND start_month <= $1 AND (end_month IS NULL OR end_month >= $1)
            OFFSET 0
        ) AS part CROSS JOIN LATERAL (
            SELECT wage_fen FROM declared_wage
            WHERE declared_wage.enrollment_id = part.enrollment_id AND from_month <= $1
            ORDER BY from_month DESC LIMIT 1
        ) AS wage
        WHERE NOT EXISTS (
              SELECT 1 FROM bill_line WHERE person_id = part.person_id AND month = $1 AND refund_id IS NULL OFFSET 0)
          AND NOT EXISTS (
              SELECT 1 FROM suspension WHERE relation_id = part.enrollment_id AND from_month <= $1
                AND (until_month IS NULL OR until_month >= $1) OFFSET 0)
          AND NOT EXISTS (SELECT 1 FROM contribution WHERE person_id = part.person_id AND month = $1 OFFSET 0)
          AND NOT EXISTS (
              SELECT 1 FROM history_year WHERE person_id = part.person_id AND year = extract(year FROM $1::date)
                AND (months >> (extract(month FROM $1::date)::integer - 1)) & 1 = 1 OFFSET 0
          )
    ), line AS (
        INSERT INTO bill_line (bill_id, person_id, enrollment_id, month, wage_fen, base_fen, {_COLUMNS})
        SELECT bill_id, person_id, enrollment_id, $1, wage_fen, base_fen, {_AMOUNTS}
        FROM insured JOIN tariff USING (place) ORDER BY bill_id, person_id
        RETURNING bill_id, {_CHARGED}
    ), summed AS (
        SELECT bill_id, count(*) AS person_count, {_SUMS} FROM line GROUP BY bill_id
    ), made AS (
        INSERT INTO bill (bill_id, employer_id, month, number, state, person_count, {_CHARGED}, total_fen, terms,
                          provisional, policy_version, assess_date, run_id)
        SELECT bill_id, employer_id, $1,
               (SELECT coalesce(max(number), 0) + 1 FROM bill
                WHERE employer_id = billed.employer_id AND month + 0 = $1),
               '{BillState.ISSUED}', person_count, {_CHARGED}, {_TOTAL}, terms, provisional, $4, $5, $6
        FROM summed JOIN billed USING (bill_id) JOIN tariff USING (place)
        RETURNING person_count, {_CHARGED}
    )
    SELECT count(*) AS bill_count, coalesce(sum(person_count), 0)::bigint AS person_count, {_ALL} FROM made
"""  # noqa: S608 - constant text


@dataclass(frozen=True, slots=True)
class Billed:
    """An employer to be billed and the number of the tariff that counts for it."""

    employer_id: UUID
    place: int


async def assess(
    tx: Transaction,
    employers: Sequence[Billed],
    tariffs: Sequence[Tariff],
    *,
    policy_version: str,
    run_id: UUID | None = None,
) -> Totals:
    """Make bills with their lines for everybody who is insured with these employers and not yet billed.

    The employers are locked by the caller. All tariffs are of one month; an employer without such persons gets no bill.
    """
    one = tariffs[0]
    exact = [[*(tariff.rates[charge] for charge in CHARGES.values()), tariff.account_rate] for tariff in tariffs]
    ratios = [[rate.as_integer_ratio() for rate in rates] for rates in exact]
    row = await tx.fetchrow(
        ASSESS,
        one.terms.month.first_day,
        one.limits.floor.fen,
        one.limits.ceiling.fen,
        policy_version,
        tx.today,
        run_id,
        [billed.employer_id for billed in employers],
        [ids.new_id() for _ in employers],
        [billed.place + 1 for billed in employers],
        [json.dumps(stored_terms.to_plain(tariff.terms), ensure_ascii=False) for tariff in tariffs],
        [tariff.provisional for tariff in tariffs],
        *([row[place][part] for row in ratios] for place in range(len(RATED)) for part in (0, 1)),
    )
    assert row is not None
    return totals_of(dict(row))


def totals_of(row: Mapping[str, int]) -> Totals:
    """Counts and sums of a row."""
    charges = {name: Money(row[f"{name}_fen"]) for name in CHARGES}
    return Totals(row["bill_count"], row["person_count"], charges)
