"""The pensioners of a benchmark: gone before it begins, whatever another one left on the same ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from ops.bench.ground import Ground

MINUTES = 5
ALL = """
    person, participation, payee, calculation, determination, benefit, benefit_amount, difference, payroll, payment,
    adjustment, ledger_entry, aggregate, outbox
"""


async def cleared(ground: Ground) -> None:
    """Take everybody out of the benefits database of a ground, and whatever was decided, paid and booked for them."""
    connection = await asyncpg.connect(ground.databases.owner_urls["benefits"])
    try:
        await connection.execute(f"TRUNCATE {ALL} CASCADE", timeout=MINUTES * 60)
    finally:
        await connection.close()
