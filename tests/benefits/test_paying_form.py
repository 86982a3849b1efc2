"""The set form of a payroll and the form for one person give the same fen, for any population."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING

import asyncpg
import pytest

from kernel import ids
from kernel.calendar import Month
from services.benefits.store import decisions
from services.benefits.store.decisions import amount_of
from tests.benefits.paying_bureau import Bureau
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy

FIRST, UNTIL = Month(2026, 1), Month(2026, 6)


async def a_population(bureau: Bureau, persons: int, draw: random.Random) -> dict[UUID, tuple[Month, Month | None]]:
    """Benefits that begin and end when they like, with amounts that changed forwards, backwards and twice a month."""
    await bureau.city(persons)
    benefit_ids = await bureau.benefit_ids()
    amounts = []
    terms: dict[UUID, tuple[Month, Month | None]] = {}
    connection = await asyncpg.connect(bureau.database.settings.database_owner_url)
    try:
        for benefit_id in benefit_ids:
            first = FIRST.plus(draw.randrange(5))
            last = first.plus(draw.randrange(6)) if draw.random() < 0.3 else None
            terms[benefit_id] = (first, last)
            digest = draw.randbytes(32)
            amounts += [
                (benefit_id, number, FIRST.plus(draw.randrange(-3, 8)).first_day, draw.randrange(10**6), digest)
                for number in range(2, 2 + draw.randrange(6))
            ]
        await connection.executemany(
            "UPDATE benefit SET first_month = $2, next_month = $2, last_month = $3 WHERE benefit_id = $1",
            [
                (benefit_id, first.first_day, last.first_day if last else None)
                for benefit_id, (first, last) in terms.items()
            ],
        )
        await connection.execute(
            """
            INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, business_date)
            SELECT benefit_id, one.number, one.from_month, one.amount_fen, amount.digest, 'RECOMPUTED', $5
            FROM unnest($1::uuid[], $2::integer[], $3::date[], $4::bigint[]) AS one (benefit_id, number, from_month,
                                                                                     amount_fen)
            JOIN benefit_amount AS amount USING (benefit_id) WHERE amount.number = 1
            """,
            *(list(column) for column in list(zip(*amounts, strict=True))[:4]),
            date(2026, 6, 1),
        )
    finally:
        await connection.close()
    return terms


async def agree(bureau: Bureau, persons: int, seed: int) -> int:
    """Pay two months and compare each payment with what the one-person form says; how many were compared."""
    terms = await a_population(bureau, persons, random.Random(seed))
    bureau.limits = type(bureau.limits)(jump_percent=10**9)
    for month in (UNTIL.plus(-2), UNTIL):
        await bureau.released(str(month))
    known = await bureau.run(lambda tx: decisions.amounts(tx, list(terms)))
    paid = await owner_fetch(
        bureau.database,
        "SELECT benefit_id, month, amount_fen FROM payment WHERE kind <> 'UNEMPLOYMENT' ORDER BY benefit_id, month",
    )
    expected = [
        (benefit_id, month.first_day, amount_of(known[benefit_id], month).amount.fen)
        for benefit_id, (first, last) in sorted(terms.items())
        for month in Month.range(first, min(UNTIL, last or UNTIL))
    ]
    assert [tuple(row) for row in paid] == expected, f"seed {seed}"
    assert len({ids.to_text("ben", benefit_id) for benefit_id, *_ in expected}) == len(terms)
    return len(expected)


@pytest.fixture
def bureau(database: Database, policy: BenefitsPolicy) -> Bureau:
    return Bureau(database, policy, size=40)


async def test_the_set_form_pays_what_the_one_person_form_says(bureau: Bureau) -> None:
    assert await agree(bureau, 150, seed=1) > 400


@pytest.mark.slow
async def test_the_set_form_pays_what_the_one_person_form_says_to_many(bureau: Bureau) -> None:
    bureau.size = 4_000
    assert await agree(bureau, 20_000, seed=2) > 60_000
