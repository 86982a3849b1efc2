"""Years of the accounts beside the employee pension: which are closed, interest in set form, what is booked when."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.cover_money import SchemeYear
from services.enrollment.domain.account import YearTerms
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEME_CODES, SCHEMES
from services.enrollment.store import terms as stored_terms

_LOCK_CLASS = 0x5359  # "SY", apart from other advisory locks of this database

PARTS = """
    SELECT min(person_id::text)::uuid AS first, max(person_id::text)::uuid AS last, count(*) AS persons FROM (
        SELECT person_id, (row_number() OVER (ORDER BY person_id) - 1) / $2::bigint AS chunk
        FROM scheme_account WHERE scheme = $1
    ) AS numbered GROUP BY chunk ORDER BY chunk
"""
LOCK = """
    SELECT count(*) FROM (
        SELECT FROM scheme_account WHERE scheme = $1 AND person_id BETWEEN $2 AND $3 ORDER BY person_id FOR UPDATE
    ) AS locked
"""
# The set form of `domain.account.account_year` by the monthly product. round() of numeric is half away from zero, as
# Money's half-up is; a rate of four places over twelve keeps every quotient far from a tie that it is not.
CLOSE = """
    WITH booked AS MATERIALIZED (
        SELECT person_id, coalesce(sum(amount_fen) FILTER (WHERE booked_month < make_date($4, 1, 1)), 0) AS opening,
               coalesce(sum(amount_fen) FILTER (WHERE booked_month >= make_date($4, 1, 1)), 0) AS credited,
               coalesce(sum(amount_fen * (13 - extract(month FROM booked_month)::bigint))
                   FILTER (WHERE booked_month >= make_date($4, 1, 1)), 0) AS product
        FROM scheme_account_entry
        WHERE scheme = $1 AND person_id BETWEEN $2 AND $3 AND booked_month < make_date($4 + 1, 1, 1)
        GROUP BY person_id
    ), year AS (
        INSERT INTO scheme_account_year (person_id, scheme, year, opening_fen, contribution_fen, interest_fen, terms_id)
        SELECT person_id, $1, $4, opening, credited,
               round(opening * $5::numeric / $6::numeric) + round(product * $7::numeric / $8::numeric), $9
        FROM booked ORDER BY person_id
        ON CONFLICT (person_id, scheme, year) DO NOTHING RETURNING person_id, interest_fen
    ), entry AS (
        INSERT INTO scheme_account_entry (person_id, scheme, part, source, booked_month, amount_fen)
        SELECT person_id, $1, 'INTEREST', 'year:' || $4::text, make_date($4, 12, 1), interest_fen
        FROM year WHERE interest_fen <> 0
    ), account AS (
        UPDATE scheme_account SET balance_fen = balance_fen + interest_fen FROM year
        WHERE scheme_account.person_id = year.person_id AND scheme = $1
    )
    SELECT count(*) AS persons, coalesce(sum(interest_fen), 0)::bigint AS interest_fen FROM year
"""


async def booking_month(tx: Transaction, scheme: Scheme, month: Month) -> Month:
    """The month in which something is booked: its own, or the January after the last closed year.

    Whoever closes a year waits for those who asked here, and whoever asks here waits for that closing.
    """
    code = SCHEME_CODES[scheme]
    await tx.fetchrow("SELECT pg_advisory_xact_lock_shared($1::integer, $2::integer)", _LOCK_CLASS, code)
    row = await tx.fetchrow("SELECT max(year) AS year FROM scheme_year WHERE scheme = $1", code)
    closed = row["year"] if row else None
    return month if closed is None else max(month, Month(closed + 1, 1))


async def next_year(tx: Transaction, scheme: Scheme) -> int | None:
    """The first year of a scheme that is not closed; None while nothing was ever booked."""
    row = await tx.fetchrow(
        """
        SELECT coalesce((SELECT max(year) + 1 FROM scheme_year WHERE scheme = $1),
                        (SELECT extract(year FROM min(booked_month))::integer FROM scheme_account_entry
                         WHERE scheme = $1)) AS year
        """,
        SCHEME_CODES[scheme],
    )
    year: int | None = row["year"] if row else None
    return year


async def close(tx: Transaction, scheme: Scheme, year: int, job_id: UUID, policy_version: str) -> bool:
    """Note that a year is closed, once no booking of it is under way; False when it was before."""
    code = SCHEME_CODES[scheme]
    await tx.fetchrow("SELECT pg_advisory_xact_lock($1::integer, $2::integer)", _LOCK_CLASS, code)
    return (
        await tx.execute(
            """
            INSERT INTO scheme_year (scheme, year, job_id, policy_version, close_date) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (scheme, year) DO NOTHING
            """,
            code,
            year,
            job_id,
            policy_version,
            tx.today,
        )
        == 1
    )


async def parts(tx: Transaction, scheme: Scheme, size: int) -> Sequence[Record]:
    """Ranges of the persons with an account of a scheme."""
    return await tx.fetch(PARTS, SCHEME_CODES[scheme], size)


async def book(
    tx: Transaction, scheme: Scheme, terms: YearTerms, part: tuple[UUID, UUID], terms_id: UUID
) -> tuple[int, Money]:
    """Book a year's interest on the accounts of a range; how many, and how much in all."""
    code = SCHEME_CODES[scheme]
    await tx.fetch(LOCK, code, *part)
    row = await tx.fetchrow(
        CLOSE,
        code,
        *part,
        terms.year,
        terms.on_opening.numerator,
        terms.on_opening.denominator,
        terms.on_new.numerator,
        terms.on_new.denominator,
        terms_id,
    )
    assert row is not None
    return row["persons"], Money(row["interest_fen"])


async def years(tx: Transaction, person_id: UUID) -> Sequence[SchemeYear]:
    """The closed years of a person's accounts, newest first."""
    rows = await tx.fetch(
        """
        SELECT one.*, terms.terms, scheme_year.policy_version, booked.months, booked.fen
        FROM scheme_account_year AS one JOIN scheme_year USING (scheme, year)
        JOIN account_year_terms AS terms USING (terms_id), LATERAL (
            SELECT array_agg(month ORDER BY month) AS months, array_agg(fen ORDER BY month) AS fen FROM (
                SELECT extract(month FROM booked_month)::integer AS month, sum(amount_fen)::bigint AS fen
                FROM scheme_account_entry AS entry
                WHERE entry.person_id = one.person_id AND entry.scheme = one.scheme
                  AND booked_month BETWEEN make_date(year, 1, 1) AND make_date(year, 12, 31)
                  AND source <> 'year:' || year
                GROUP BY 1
            ) AS month
        ) AS booked
        WHERE person_id = $1 ORDER BY scheme, year DESC
        """,
        person_id,
    )
    return [
        SchemeYear(
            scheme=SCHEMES[row["scheme"]],
            year=row["year"],
            opening=Money(row["opening_fen"]),
            contribution=Money(row["contribution_fen"]),
            interest=Money(row["interest_fen"]),
            monthly=dict(zip(row["months"] or (), map(Money, row["fen"] or ()), strict=True)),
            terms=stored_terms.account_from_plain(row["terms"]),
            policy_version=row["policy_version"],
        )
        for row in rows
    ]
