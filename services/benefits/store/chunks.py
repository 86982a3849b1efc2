"""How a chunk of a run over a city reads: by keys, some thousand rows of each table, whatever the statistics say.

After some chunks a connection would take one plan for all of them, made for ten rows; with a plan for the rows of each,
statistics that are missing or old still make whole tables be read once a chunk. Both were seen: at 200,000 persons most
of a payroll's time went into reading everybody again and again (docs/decisions/0251).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chassis.transaction import Transaction

BY_KEY = """
    SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_hashjoin', 'off', true),
           set_config('enable_mergejoin', 'off', true), set_config('max_parallel_workers_per_gather', '0', true),
           set_config('random_page_cost', '1.1', true)
"""
HASHING = "SELECT set_config('enable_hashjoin', $1, true)"


async def by_key(tx: Transaction) -> None:
    """Let each statement of this transaction be planned for the rows that it is given, and find its rows by keys."""
    await tx.execute(BY_KEY)


async def hashing(tx: Transaction, *, on: bool) -> None:
    """Allow joins by hash again, for a statement that joins the rows of a chunk with each other."""
    await tx.execute(HASHING, "on" if on else "off")
