"""The ledger: balanced, append-only, each key once."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import ledger
from chassis.database import violated
from kernel.errors import AlreadyExists
from kernel.money import Money
from tests.chassis.demo import TODAY, run

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.transaction import Transaction


async def post(database: Database, key: str, fen: int, on: date = TODAY) -> None:
    postings = [("fund:pension", Money(fen)), ("cash:tax", Money(-fen))]
    await run(database, lambda tx: ledger.post(tx, kind="receipt", key=key, postings=postings, business_date=on))


async def balance(database: Database, account: str, on: date | None = None) -> Money:
    found: Money = await run(database, lambda tx: ledger.balance(tx, account, on=on))
    return found


async def test_balances_are_the_sum_of_postings_up_to_a_day(database: Database) -> None:
    await post(database, "r1", 100)
    await post(database, "r2", 23, date(2025, 12, 1))

    assert await balance(database, "fund:pension") == Money(123)
    assert await balance(database, "cash:tax", TODAY) == Money(-100)
    assert await balance(database, "nobody") == Money(0)


async def test_a_key_is_booked_once(database: Database) -> None:
    await post(database, "r1", 100)

    with pytest.raises(AlreadyExists, match="ENTRY_ALREADY_POSTED"):
        await post(database, "r1", 100)

    assert await balance(database, "fund:pension") == Money(100)


async def test_many_entries_are_booked_in_two_statements_and_known_ones_left_alone(database: Database) -> None:
    await post(database, "r2", 5)
    entries = [
        ledger.Entry("receipt", f"r{n}", [("a", Money(n)), ("b", Money(1)), ("c", Money(-n - 1))], TODAY)
        for n in range(1, 4)
    ]

    posted = await run(database, lambda tx: ledger.post_many(tx, entries))

    assert posted == {"r1", "r3"}
    assert await balance(database, "a") == Money(4)


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=5))
def test_an_entry_that_does_not_balance_cannot_be_made(amounts: list[int]) -> None:
    postings = [(f"a{n}", Money(fen)) for n, fen in enumerate(amounts)]

    if len(amounts) >= 2 and sum(amounts) == 0:
        ledger.Entry("k", "x", postings, TODAY)
    else:
        with pytest.raises(ValueError, match="sum to zero"):
            ledger.Entry("k", "x", postings, TODAY)


@pytest.mark.parametrize(
    ("statements", "constraint"),
    [
        (
            [
                "INSERT INTO ledger_entry (kind, key, business_date) VALUES ('k', 'x', '2025-01-01')",
                "INSERT INTO ledger_posting SELECT max(id), 1, 'a', 5 FROM ledger_entry",
            ],
            "ledger_balance",
        ),
        (
            ["INSERT INTO ledger_entry (kind, key, business_date) VALUES ('k', 'x', '2025-01-01')"],
            "ledger_entry_complete",
        ),
        (["INSERT INTO ledger_posting SELECT max(id), 3, 'a', 5 FROM ledger_entry"], "ledger_balance"),
        (["INSERT INTO ledger_posting SELECT max(id), 3, 'a', 0 FROM ledger_entry"], "ledger_posting_amount_fen_check"),
    ],
)
async def test_the_database_itself_refuses_what_does_not_balance(
    database: Database, statements: list[str], constraint: str
) -> None:
    await post(database, "r1", 100)

    async def work(tx: Transaction) -> None:
        for statement in statements:
            await tx.execute(statement)

    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await run(database, work)

    assert violated(caught.value) == constraint
