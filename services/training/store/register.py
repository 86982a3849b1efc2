"""What enrollment and benefits announced, as rows: written a whole chunk at a time, read one person at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.training.heard import EndedBenefit, EndedEmployment, SettledMonth, StartedBenefit, StartedEmployment

# One statement may touch a row once: chunks are first reduced to the last fact of each key.


async def save_persons(tx: Transaction, person_ids: Sequence[UUID]) -> None:
    """Write persons, known or new."""
    await tx.execute(
        "INSERT INTO person (person_id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING", sorted(person_ids)
    )


async def save_started(tx: Transaction, started: Sequence[StartedEmployment]) -> None:
    """Write employments that started; one that ended and starts again goes on."""
    last = {one.participation_id: one for one in started}
    await tx.execute(
        """
        INSERT INTO employment (participation_id, person_id, start_month)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[])
        ON CONFLICT (participation_id) DO UPDATE SET start_month = excluded.start_month, end_month = NULL
        """,
        list(last),
        [one.person_id for one in last.values()],
        [one.start_month.first_day for one in last.values()],
    )


async def save_ended(tx: Transaction, ended: Sequence[EndedEmployment]) -> None:
    """Write the ends of employments. The gate puts them after their starts."""
    last = {one.participation_id: one for one in ended}
    await tx.execute(
        """
        UPDATE employment SET end_month = fact.end_month
        FROM unnest($1::uuid[], $2::date[]) AS fact (participation_id, end_month)
        WHERE employment.participation_id = fact.participation_id
        """,
        list(last),
        [one.end_month.first_day for one in last.values()],
    )


async def save_settled(tx: Transaction, months: Sequence[SettledMonth]) -> None:
    """Write settled months as bits of their years; a later fact of a month replaces the earlier one."""
    bits: dict[tuple[UUID, int], dict[int, bool]] = {}
    for one in months:
        bits.setdefault((one.person_id, one.month.year), {})[1 << (one.month.month - 1)] = one.is_paid
    keys = sorted(bits)
    await tx.execute(
        """
        INSERT INTO insured_year (person_id, year, paid)
        SELECT person_id, year, paid FROM unnest($1::uuid[], $2::smallint[], $3::integer[], $4::integer[])
          AS fact (person_id, year, paid, told)
        ON CONFLICT (person_id, year) DO UPDATE SET paid = (insured_year.paid & ~(
          SELECT told FROM unnest($1::uuid[], $2::smallint[], $4::integer[]) AS fact (person_id, year, told)
          WHERE fact.person_id = insured_year.person_id AND fact.year = insured_year.year
        )) | excluded.paid
        """,
        [person_id for person_id, _ in keys],
        [year for _, year in keys],
        [sum(bit for bit, is_paid in bits[key].items() if is_paid) for key in keys],
        [sum(bits[key]) for key in keys],
    )


async def save_benefits(tx: Transaction, started: Sequence[StartedBenefit]) -> None:
    """Write unemployment benefits that started."""
    last = {one.benefit_id: one for one in started}
    await tx.execute(
        """
        INSERT INTO unemployment_benefit (benefit_id, person_id, first_month, last_month)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::date[])
        ON CONFLICT (benefit_id) DO UPDATE SET first_month = excluded.first_month, last_month = excluded.last_month
        """,
        list(last),
        [one.person_id for one in last.values()],
        [one.first_month.first_day for one in last.values()],
        [one.last_month.first_day for one in last.values()],
    )


async def save_ended_benefits(tx: Transaction, ended: Sequence[EndedBenefit]) -> None:
    """Write the ends of unemployment benefits. The gate puts them after their starts."""
    last = {one.benefit_id: one for one in ended}
    await tx.execute(
        """
        UPDATE unemployment_benefit SET last_month = fact.last_month
        FROM unnest($1::uuid[], $2::date[]) AS fact (benefit_id, last_month)
        WHERE unemployment_benefit.benefit_id = fact.benefit_id
        """,
        list(last),
        [one.last_month.first_day for one in last.values()],
    )


async def save_merged(tx: Transaction, survivors: Mapping[UUID, UUID]) -> None:
    """Write which records went up in which."""
    await tx.execute(
        """
        INSERT INTO forward (person_id, survivor_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
        ON CONFLICT (person_id) DO UPDATE SET survivor_id = excluded.survivor_id
        """,
        list(survivors),
        list(survivors.values()),
    )


async def remove_merged(tx: Transaction, person_ids: Sequence[UUID]) -> None:
    """Records stand by themselves again."""
    await tx.execute("DELETE FROM forward WHERE person_id = ANY($1::uuid[])", list(person_ids))


async def is_known(tx: Transaction, person_id: UUID) -> bool:
    """Whether enrollment has announced a person."""
    return await tx.fetchrow("SELECT 1 FROM person WHERE person_id = $1", person_id) is not None


async def lock_person(tx: Transaction, person_id: UUID) -> bool:
    """Hold a person still, so that two claims of one person are decided one by one; False when nobody knows them."""
    query = "SELECT 1 FROM person WHERE person_id = $1 FOR NO KEY UPDATE"
    return await tx.fetchrow(query, person_id) is not None


async def insured_months(tx: Transaction, person_id: UUID, last: Month) -> int:
    """Paid months of unemployment insurance up to and including one."""
    rows = await tx.fetch(
        "SELECT year, paid FROM insured_year WHERE person_id = ANY(same_person($1)) AND year <= $2",
        person_id,
        last.year,
    )
    of_last_year = (1 << last.month) - 1
    return sum((row["paid"] & of_last_year if row["year"] == last.year else row["paid"]).bit_count() for row in rows)


async def is_employed(tx: Transaction, person_id: UUID, month: Month) -> bool:
    """Whether a person has unemployment insurance from an employment in a month."""
    query = """
        SELECT 1 FROM employment
        WHERE person_id = ANY(same_person($1)) AND start_month <= $2 AND coalesce(end_month, $2) >= $2 LIMIT 1
    """
    return await tx.fetchrow(query, person_id, month.first_day) is not None


async def is_drawing(tx: Transaction, person_id: UUID, month: Month) -> bool:
    """Whether an unemployment benefit of a person covers a month."""
    query = """
        SELECT 1 FROM unemployment_benefit
        WHERE person_id = ANY(same_person($1)) AND $2 BETWEEN first_month AND last_month LIMIT 1
    """
    return await tx.fetchrow(query, person_id, month.first_day) is not None
